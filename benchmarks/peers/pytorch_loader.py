#!/usr/bin/env python3
"""Times PyTorch's DataLoader against loader_benchmark on the same clips and as many processors, in turns.

    pytorch_loader.py --loader-benchmark build/release/benchmarks/loader_benchmark --clips CLIPS --threads 2

CLIPS is a folder with one folder a class. Needs torch, numpy, and PyAV or decord (both are timed where both are there).
A dataset as PyTorch users write it: the container is opened for each clip, sought to the key frame before the first
frame that is needed, decoded until the last, and the frames resized and cropped as float tensors; workers are processes,
as many as there are threads. First the clips without augmentation are compared; then augmentation is timed, round after
round: `light` (crop, flip) and `reference` (the jitter of colours too, as released models were trained).
Exit status: 0, or 1 when the clips differ or a program fails.

Shape letters: N clips, T frames, C channels, H, W pixels.
"""
import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch
from torch.nn import functional as F

from pytorch_tpn import read_safetensors

MEAN = torch.tensor([123.675, 116.28, 103.53]).view(1, 3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(1, 3, 1, 1)

# Mean absolute difference of the normalised clips: other conversions to RGB and other arithmetic when resizing give some
# hundredths; a frame or a pixel off gives several tenths.
TOLERANCE = 0.06


def read_with_av(path, wanted):
    """Frames by number, (T,H,W,3) uint8, in the order of wanted(total)."""
    import av
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = 'NONE'
        total = stream.frames or sum(1 for _ in container.decode(stream))
        numbers = wanted(total)
        need, frames = set(numbers), {}
        rate, base = stream.average_rate, stream.time_base
        container.seek(int(min(need) / rate / base) + (stream.start_time or 0), stream=stream)
        for frame in container.decode(stream):
            number = round(float((frame.pts - (stream.start_time or 0)) * base * rate))
            if number in need:
                frames[number] = frame.to_ndarray(format='rgb24')
            if number >= max(need):
                break
    return np.stack([frames[number] for number in numbers])


def read_with_decord(path, wanted):
    import decord
    reader = decord.VideoReader(path, num_threads=1)
    return reader.get_batch(wanted(len(reader))).asnumpy()


READERS = {'PyAV': read_with_av, 'decord': read_with_decord}


GRAY = torch.tensor([0.299, 0.587, 0.114]).view(1, 3, 1, 1)


def jitter(frames):
    """Brightness, contrast, saturation and hue of all frames (T,C,H,W), 0 to 255, in a random order."""
    def brightness(x):
        return x * random.uniform(0.5, 1.5)

    def contrast(x):
        factor = random.uniform(0.5, 1.5)
        return x * factor + (1 - factor) * (x * GRAY).sum(1).mean()

    def saturation(x):
        factor = random.uniform(0.5, 1.5)
        return x * factor + (1 - factor) * (x * GRAY).sum(1, keepdim=True)

    def hue(x):
        most, where = x.max(1, keepdim=True)
        chroma = (most - x.min(1, keepdim=True).values).clamp(min=1e-6)
        r, g, b = x.split(1, 1)
        sector = torch.where(where == 0, (g - b) / chroma,
                             torch.where(where == 1, (b - r) / chroma + 2, (r - g) / chroma + 4))
        sector = sector + 6 * random.uniform(-0.1, 0.1)
        turned = [(n + sector) % 6 for n in (5, 3, 1)]
        return torch.cat([most - chroma * torch.minimum(k, 4 - k).clamp(0, 1) for k in turned], 1)

    for change in random.sample([brightness, contrast, saturation, hue], 4):
        frames = change(frames).clamp(0, 255)
    return frames


class Clips(torch.utils.data.Dataset):
    def __init__(self, folder, reader, options, augment):
        """augment: 'none', 'light' or 'reference'."""
        self.options, self.augment, self.read = options, augment, READERS[reader]
        self.paths = [os.path.join(folder, name, file) for name in sorted(os.listdir(folder))
                      for file in sorted(os.listdir(os.path.join(folder, name)), key=natural)]

    def __len__(self):
        return len(self.paths)

    def numbers(self, total):
        """Frames of a clip: in the middle without augmentation, else anywhere."""
        length, interval = self.options.clip_len, self.options.frame_interval
        span = (length - 1) * interval + 1
        if self.augment != 'none':
            first = random.randrange(max(total - span, 0) + 1)
        else:
            first = max(total - span, 0) // 2
        return [(first + i * interval) % total for i in range(length)]

    def __getitem__(self, index):
        frames = torch.from_numpy(self.read(self.paths[index], self.numbers)).permute(0, 3, 1, 2).float()
        height, width = frames.shape[2:]
        side = self.options.crop
        if self.augment != 'none':
            least = 0.08 if self.augment == 'reference' else 0.5
            for _ in range(10):
                area = random.uniform(least, 1) * height * width
                ratio = float(np.exp(random.uniform(np.log(3 / 4), np.log(4 / 3))))
                w, h = round((area * ratio) ** 0.5), round((area / ratio) ** 0.5)
                if w <= width and h <= height:
                    break
            else:
                w = h = min(width, height)
            top, left = random.randrange(height - h + 1), random.randrange(width - w + 1)
            frames = frames[:, :, top:top + h, left:left + w]
            frames = F.interpolate(frames, (side, side), mode='bilinear', align_corners=False)
            if random.random() < 0.5:
                frames = frames.flip(3)
            if self.augment == 'reference':
                frames = jitter(frames)
        else:
            scale = self.options.short_side / min(height, width)
            size = (int(height * scale + 0.5), int(width * scale + 0.5))
            frames = F.interpolate(frames, size, mode='bilinear', align_corners=False)
            top, left = (size[0] - side) // 2, (size[1] - side) // 2
            frames = frames[:, :, top:top + side, left:left + side]
        return ((frames - MEAN) / STD).transpose(0, 1)  # (C,T,H,W)


def natural(name):
    """2.mp4 before 10.mp4."""
    digits = ''.join(c if c.isdigit() else ' ' for c in name).split()
    return [int(d) for d in digits], name


def one_thread(_):
    torch.set_num_threads(1)


def time_pytorch(options, reader, augment):
    """Clips a second over as many epochs as the other program takes."""
    data = Clips(options.clips, reader, options, augment)
    loader = torch.utils.data.DataLoader(data, options.batch, shuffle=True, num_workers=options.threads,
                                         worker_init_fn=one_thread, persistent_workers=True)
    next(iter(loader))  # the workers are there
    begin, count = time.perf_counter(), 0
    for _ in range(options.epochs):
        for clips in loader:
            count += len(clips)
    seconds = time.perf_counter() - begin
    del loader
    return count / seconds


def run_benchmark(options, *more):
    command = [options.loader_benchmark, options.clips, '--threads', options.threads, '--batch', options.batch,
               '--epochs', options.epochs, '--clip-len', options.clip_len, '--frame-interval',
               options.frame_interval, '--short-side', options.short_side, '--crop', options.crop, *more]
    return json.loads(subprocess.run([str(word) for word in command], check=True, capture_output=True).stdout)


def compare(options, readers):
    """Mean absolute differences of the clips without augmentation, by reader."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, 'clips.safetensors')
        run_benchmark(options, '--augment', 'none', '--save', path)
        clips = read_safetensors(path)[0]['clips'].permute(0, 4, 1, 2, 3)  # (N,C,T,H,W)
    differences = {}
    for reader in readers:
        data = Clips(options.clips, reader, options, 'none')
        differences[reader] = max(float((data[i] - clips[i]).abs().mean()) for i in range(len(data)))
    return differences


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--loader-benchmark', required=True)
    parser.add_argument('--clips', required=True)
    parser.add_argument('--threads', type=int, default=2)
    parser.add_argument('--batch', type=int, default=8)
    parser.add_argument('--epochs', type=int, default=3)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--clip-len', type=int, default=8)
    parser.add_argument('--frame-interval', type=int, default=8)
    parser.add_argument('--short-side', type=int, default=256)
    parser.add_argument('--crop', type=int, default=224)
    parser.add_argument('--json')
    options = parser.parse_args()
    readers = [name for name, module in [('PyAV', 'av'), ('decord', 'decord')] if has(module)]
    if not readers:
        sys.exit('Neither PyAV nor decord is installed.')
    torch.set_num_threads(1)
    report = {'differences': compare(options, readers)}
    wrong = [name for name, value in report['differences'].items() if not value < TOLERANCE]
    if wrong:
        sys.exit(f'The clips differ from those of {", ".join(wrong)}: {report["differences"]}')
    for augment in ('light', 'reference'):
        rates = {name: [] for name in ['tpn', *readers]}
        for _ in range(options.rounds):
            rates['tpn'].append(run_benchmark(options, '--augment', augment)['clips_per_second'])
            for reader in readers:
                rates[reader].append(time_pytorch(options, reader, augment))
        ratios = {reader: statistics.median(a / b for a, b in zip(rates['tpn'], rates[reader])) for reader in readers}
        report[augment] = {'clips_per_second': rates, 'ratio': ratios}
    text = json.dumps(report, indent=2)
    print(text)
    if options.json:
        with open(options.json, 'w', encoding='utf-8') as file:
            file.write(text + '\n')


def has(module):
    try:
        __import__(module)
    except ImportError:
        return False
    return True


if __name__ == '__main__':
    main()
