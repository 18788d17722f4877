#!/usr/bin/env python3
"""Times the way from a video file to its label: PyTorch with PyAV against tpn_infer, whole processes in turns.

    pytorch_video.py --programs build/release/apps --model M.safetensors --video V.mp4 --views 1x1 --threads 2

Needs torch, numpy and PyAV; for networks whose clips are runs of frames (SlowOnly). The PyTorch process does what a user's
script does: reads the model file, decodes, samples clips, resizes the short side, takes crops, normalises, runs the network
of pytorch_tpn.py in its best layout for the model as it is (channels_last_3d), view by view, and averages the probabilities.
Its scores are compared with tpn_infer's first; then both take turns. On a machine that others use compare the minima.
Exit status: 0, or 1 when the scores differ or a program fails.

Shape letters: N views, T frames, C channels, H, W pixels, K classes.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

# Largest difference of a probability. Frames, resizing and crops agree, so that in float32 rounding is left; clips that
# begin three frames earlier are 8e-3 off on networks with random weights.
TOLERANCE = {'f32': 1e-3, 'bf16': 0.05}


# ---------------------------------------------------------------- PyTorch, in a process of its own

def clip_frames(total, length, interval, clips):
    """Frame numbers (clips, T) of mmaction2's test protocol; past the end a video begins again."""
    slack = max(total - ((length - 1) * interval + 1), 0)
    starts = [slack // 2] if clips == 1 else [round(i * slack / (clips - 1)) for i in range(clips)]
    return [[(start + i * interval) % total for i in range(length)] for start in starts]


def decode(path):
    """All frames, (H, W, C) uint8 each."""
    import av
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = 'AUTO'
        return [frame.to_ndarray(format='rgb24') for frame in container.decode(stream)]


def crops_of(frames, count, side):
    """Frames (T, C, H, W) whose short side is `side` -> square clips: the centre, or left (top), right and middle."""
    height, width = frames.shape[2:]
    room = max(height, width) - side
    places = {1: [room // 2], 3: [0, room // 2 * 2, room // 2]}[count]
    axis = 2 if height > width else 3
    return [frames.narrow(axis, place, side) for place in places]


def work(args):
    """Prints the scores as JSON."""
    import numpy as np
    import torch
    from torch.nn import functional as F

    from pytorch_tpn import Network, read_safetensors
    torch.set_num_threads(args.threads)
    state, metadata = read_safetensors(args.model)
    config = json.loads(metadata['tpn.config'])
    network = Network(state, config['model'], 'channels_last_3d', False).eval()
    sampling, side = config['sampling'], 256
    clips, crops = (int(count) for count in args.views.split('x'))
    frames = decode(args.video)
    mean = torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1)
    std = torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1)
    scores = []
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=args.precision == 'bf16'):
        for numbers in clip_frames(len(frames), sampling['clip_len'], sampling['frame_interval'], clips):
            clip = torch.from_numpy(np.stack([frames[i] for i in numbers])).permute(0, 3, 1, 2).float()
            factor = side / min(clip.shape[2:])
            size = [int(n * factor + 0.5) for n in clip.shape[2:]]
            clip = (F.interpolate(clip, size, mode='bilinear', align_corners=False).round() - mean) / std
            for view in crops_of(clip, crops, side):
                view = view.transpose(0, 1).unsqueeze(0).contiguous(memory_format=torch.channels_last_3d)
                scores.append(network(view).float().softmax(1))
    print(json.dumps(torch.cat(scores).mean(0).tolist()))


# ---------------------------------------------------------------- turns

def measured(command, threads):
    """Runs it: standard output, wall seconds, processor seconds, peak resident MiB."""
    with tempfile.TemporaryFile() as output:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, env=dict(os.environ, OMP_NUM_THREADS=str(threads)))
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode != 0:
            raise RuntimeError(f'{command[0]} ended with exit status {process.returncode}')
        output.seek(0)
        return output.read(), {'seconds': seconds, 'processor_seconds': usage.ru_utime + usage.ru_stime,
                               'peak_mib': usage.ru_maxrss / 1024}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--programs', help='folder with tpn_infer')
    parser.add_argument('--model', required=True, help='model file (safetensors with tpn.config)')
    parser.add_argument('--video', required=True)
    parser.add_argument('--views', default='1x1', help='CLIPSxCROPS, with 1 or 3 crops')
    parser.add_argument('--precision', choices=('f32', 'bf16'), default='f32')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--rounds', type=int, default=5, help='turns of both programs')
    parser.add_argument('--json', help='write the results here')
    parser.add_argument('--work', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.work and not args.programs:
        parser.error('--programs is required')
    return args


def main():
    args = arguments()
    if args.work:
        return work(args)
    common = ['--model', args.model, '--views', args.views, '--precision', args.precision, '--threads', str(args.threads)]
    commands = {'tpn': [os.path.join(args.programs, 'tpn_infer'), *common, '--format', 'json', '--scores', args.video],
                'PyTorch': [sys.executable, os.path.abspath(__file__), '--work', *common, '--video', args.video]}
    results, scores = {name: [] for name in commands}, {}
    for _ in range(args.rounds):
        for name, command in commands.items():
            output, figures = measured(command, args.threads)
            results[name].append(figures)
            found = json.loads(output)
            scores[name] = found['scores'] if name == 'tpn' else found
    difference = max(abs(a - b) for a, b in zip(scores['tpn'], scores['PyTorch'], strict=True))
    print(f'{args.views} views in {args.precision}, {args.threads} threads, {args.rounds} rounds; largest difference of a '
          f'score {difference:.1e}{"" if difference <= TOLERANCE[args.precision] else ", WRONG"}')
    print('seconds: median, min; processor seconds: min; peak MiB: median')
    for name, rounds in results.items():
        seconds = [r['seconds'] for r in rounds]
        print(f'{statistics.median(seconds):10.2f}{min(seconds):10.2f}{min(r["processor_seconds"] for r in rounds):10.2f}'
              f'{statistics.median(r["peak_mib"] for r in rounds):10.0f}  {name}')
    for key in ('seconds', 'processor_seconds', 'peak_mib'):
        ratio = statistics.median(b[key] / a[key] for a, b in zip(results['tpn'], results['PyTorch']))
        print(f'{key}: PyTorch takes {ratio:.2f} times as much, median of the rounds\' ratios')
    if args.json:
        with open(args.json, 'w') as file:
            json.dump({'views': args.views, 'precision': args.precision, 'threads': args.threads,
                       'largest_difference': difference, 'rounds': results}, file, indent=1)
            file.write('\n')
    return 0 if difference <= TOLERANCE[args.precision] else 1


if __name__ == '__main__':
    sys.exit(main())
