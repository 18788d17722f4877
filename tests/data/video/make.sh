#!/bin/sh
# Makes the clips of this folder with the ffmpeg command (5.1, with libx264, libx265, libxvid and libvpx). They are committed; run
# it only to change them: sh tests/data/video/make.sh
#
# Every frame shows its number: the upper two thirds hold eight vertical bars, white where bit i of the number is set
# (least significant at the left), the lower third is grey. So a test can tell frames, mirrored and turned pictures apart.
set -eu
cd "$(dirname "$0")"
mv paff.mkv paff.kept
rm -rf -- *.rgb *.mp4 *.avi *.mkv *.webm *.h264 *.m4v *.m4a *.ts *.hevc *.mpg *.m1v *.gxf frames
mv paff.kept paff.mkv

encode() { ffmpeg -nostdin -v error -bitexact -y "$@"; }

# numbered WIDTH HEIGHT FRAMES: the lavfi source, 25 frames a second
numbered() {
  bars="if(gte(Y,2*H/3),128,if(mod(floor(N/pow(2,floor(8*X/W))),2),235,16))"
  echo "color=gray:s=$1x$2:r=25:d=20,format=yuv444p,geq=lum='$bars':cb=128:cr=128,trim=end_frame=$3"
}
small="-threads 1 -flags +bitexact -fflags +bitexact"
x264="-c:v libx264 -preset medium -crf 30 -pix_fmt yuv420p -bf 3 -g 24 -x264-params threads=1:b-adapt=0 $small"

# B-frames, and containers
encode -f lavfi -i "$(numbered 64 48 48)" $x264 h264_bframes.mp4
encode -i h264_bframes.mp4 -c copy h264_bframes.ts
encode -i h264_bframes.mp4 -c copy -bsf:v h264_mp4toannexb raw.h264
encode -f lavfi -i "$(numbered 64 48 48)" -c:v libx265 -crf 32 -pix_fmt yuv420p -g 16 \
  -x265-params log-level=none:pools=none:frame-threads=1:open-gop=1:info=0 $small open_gop.mp4
encode -f lavfi -i "$(numbered 64 48 40)" -c:v libxvid -q:v 8 -bf 2 -g 20 $small all.avi
encode -i all.avi -frames:v 32 -c copy mpeg4_packed.avi # the encoder loses the last frames
rm all.avi
encode -f lavfi -i "$(numbered 64 48 40)" -c:v mpeg4 -q:v 8 -bf 2 -g 20 $small raw.m4v
for pass in 1 2; do # hidden pictures are only made in a second pass
  two="-b:v 40k -auto-alt-ref 1 -lag-in-frames 16 -g 40 $small -pass $pass -passlogfile"
  encode -f lavfi -i "$(numbered 64 48 40)" -c:v libvpx-vp9 $two vp9.log -f webm vp9_altref.webm
  encode -f lavfi -i "$(numbered 64 48 40)" -c:v libvpx $two vp8.log -f webm vp8_altref.webm
done
rm vp8.log-0.log vp9.log-0.log
encode -f lavfi -i "$(numbered 64 48 12)" -c:v mjpeg -q:v 20 -pix_fmt yuvj420p $small mjpeg.avi

# Time: uneven frame times, a start that is cut off by an edit list, a first time stamp below zero
encode -f lavfi -i "$(numbered 64 48 30),setpts='(N+floor(N/5)*7)/25/TB'" -vsync passthrough $x264 vfr.mkv
encode -ss 0.4 -i h264_bframes.mp4 -c copy edit_list.mp4
encode -i h264_bframes.mp4 -c copy -output_ts_offset -1 -avoid_negative_ts disabled negative_start.mp4

# Geometry. This version of ffmpeg takes rotate=90 for a quarter turn counterclockwise. The first 13 packets hold the
# first 13 frames.
for angle in 90 180 270; do
  encode -i h264_bframes.mp4 -frames:v 13 -c copy -metadata:s:v:0 rotate=$angle rotate$angle.mp4
done
encode -i h264_bframes.mp4 -frames:v 13 -c copy -metadata:s:v:0 rotate=30 rotate30.mp4
encode -f lavfi -i "$(numbered 37 29 16)" -c:v mpeg4 -q:v 4 $small odd.avi
encode -f lavfi -i "$(numbered 64 48 16),setsar=16/11" $x264 anamorphic.mp4
encode -f lavfi -i "$(numbered 64 48 16)" $x264 -flags +bitexact+ilme+ildct -x264-params threads=1:tff=1 interlaced.mp4
encode -f lavfi -i "$(numbered 96 64 12)" $x264 -bsf:v h264_mp4toannexb second.h264
cat raw.h264 second.h264 > resized.h264
rm second.h264

# Pixel formats
encode -f lavfi -i "$(numbered 64 48 12)" $x264 -pix_fmt yuv420p10le ten_bit.mp4
encode -f lavfi -i "$(numbered 64 48 12)" $x264 -pix_fmt yuv444p yuv444.mp4
encode -f lavfi -i "$(numbered 64 48 12)" $x264 -pix_fmt gray gray.mp4
encode -f lavfi -i "$(numbered 64 48 12),scale=out_range=full" $x264 -pix_fmt yuvj420p full_range.mp4
encode -f lavfi -i "testsrc2=s=64x48:r=25,trim=end_frame=2" $x264 -crf 10 -colorspace bt709 -color_range tv bt709.mp4
encode -f lavfi -i "testsrc2=s=64x48:r=25,trim=end_frame=2,scale=37:29" -c:v mpeg4 -q:v 3 $small odd_colors.avi

# What the ffmpeg command shows of a first frame
for clip in bt709.mp4 odd_colors.avi rotate90.mp4; do
  encode -i $clip -frames:v 1 -pix_fmt rgb24 -f rawvideo $clip.rgb
done

# Streams that are whole although packets and frames, or durations, differ: H.264 in AVI by stream copy, sound that goes
# on, two packets a frame (paff.mkv: the first frames of a recording by a camera; libx264 makes no such fields, so it is
# kept when this script removes the rest)
encode -i h264_bframes.mp4 -c copy -bsf:v h264_mp4toannexb copied.avi
encode -i h264_bframes.mp4 -f lavfi -i "sine=d=6" -map 0 -map 1 -c:v copy -c:a aac -b:a 8k -ar 8000 long_sound.mkv
encode -f lavfi -i "$(numbered 64 48 16)" -f lavfi -i "$(numbered 96 64 12)" -map 0 -map 1 $x264 \
  -disposition:0 default -disposition:1 default two_videos.mp4
encode -f lavfi -i "$(numbered 64 48 24)" -c:v mpeg1video -b:v 400k -g 12 $small raw.m1v # states a bit rate, no duration
encode -f lavfi -i "color=gray:s=720x576:r=25" -frames:v 12 -c:v mpeg2video -qscale:v 31 -g 12 $small end.gxf

# Streams that begin in the middle of a group of pictures, by losing their first packets
losing="-c copy -bsf:v noise=drop='lt(n,5)'"
encode -i h264_bframes.mp4 $losing late_key.mp4
encode -i h264_bframes.ts $losing late_key.ts
encode -i open_gop.mp4 -c copy -bsf:v "noise=drop='lt(n,14)'" leading.mkv # begins with an open group: its leading pictures go
encode -f lavfi -i "$(numbered 64 48 40)" -c:v mpeg2video -q:v 6 -bf 2 -g 12 $small first.mpg
encode -f lavfi -i "$(numbered 96 64 20)" -c:v mpeg2video -q:v 6 -bf 2 -g 12 $small second.mpg
cat first.mpg second.mpg > new_size.mpg # loses the frame that was waiting when the size changed
rm first.mpg second.mpg

# Frames too long for their width
encode -f lavfi -i color=gray:s=1000x20 -frames:v 2 -c:v mpeg4 $small wide.avi

# Damage
bytes() { wc -c < "$1"; }
encode -i h264_bframes.mp4 -c copy -movflags +faststart faststart.mp4
head -c $(($(bytes h264_bframes.mp4) / 2)) h264_bframes.mp4 > no_moov.mp4
head -c $(($(bytes faststart.mp4) * 3 / 4)) faststart.mp4 > truncated.mp4
rm faststart.mp4
encode -i h264_bframes.mp4 -c copy whole.mkv
head -c $(($(bytes whole.mkv) * 2 / 3)) whole.mkv > truncated.mkv
rm whole.mkv
head -c $(($(bytes copied.avi) * 2 / 3)) copied.avi > truncated.avi
# Every packet of the last quarter
encode -i h264_bframes.mp4 -c copy -bsf:v "noise=amount='if(gt(n,36),3,0)'" late_damage.mp4
cp mpeg4_packed.avi damaged.avi
frames_at=$(grep -abo movi damaged.avi | head -n 1 | cut -d : -f 1)
head -c 300 /dev/zero | tr '\000' '\377' |
  dd of=damaged.avi bs=1 seek=$((frames_at + 700)) conv=notrunc status=none
cp h264_bframes.mp4 damaged.mp4
head -c 700 /dev/zero | tr '\000' '\252' |
  dd of=damaged.mp4 bs=1 seek=$(($(bytes damaged.mp4) / 3)) conv=notrunc status=none
# A header that claims 255 frames instead of 12: avih dwTotalFrames (48) and strh dwLength (140)
cp mjpeg.avi claims_more.avi
for offset in 48 140; do printf '\377' | dd of=claims_more.avi bs=1 seek=$offset conv=notrunc status=none; done
# ... and one that claims 5
cp mjpeg.avi claims_less.avi
for offset in 48 140; do printf '\005' | dd of=claims_less.avi bs=1 seek=$offset conv=notrunc status=none; done

# No video
encode -f lavfi -i "sine=d=0.2" -c:a aac -b:a 16k audio_only.m4a
encode -f lavfi -i "$(numbered 64 48 1)" -c:v png frames.png
encode -i audio_only.m4a -i frames.png -map 0 -map 1 -c copy -disposition:v:0 attached_pic cover.m4a
rm frames.png

# Folders of images; names in natural, not in alphabetical, order
for format in png:bgra:png jpg:yuvj420p:mjpeg bmp:bgra:bmp webp:bgra:libwebp; do
  kind=${format%%:*}
  codec=${format##*:}
  pixels=${format#*:}
  mkdir -p "frames/$kind"
  encode -f lavfi -i "$(numbered 32 24 12)" -c:v "$codec" -pix_fmt "${pixels%:*}" -start_number 0 -f image2 \
    "frames/$kind/img_%d.$kind"
done

# What scripts/demo classifies: a zoom into a fractal
encode -f lavfi -i "mandelbrot=size=320x240:rate=25:start_scale=1.2:end_scale=0.02:end_pts=100" -t 4 \
  -c:v libx264 -preset veryslow -crf 34 -g 50 -bf 3 -pix_fmt yuv420p demo.mp4
