#!/usr/bin/env python3
"""Times steps of training of PyTorch and of tpn_bench on the same weights, clips, labels and machine, in turns.

    pytorch_train.py --tpn-bench build/release/apps/tpn_bench --reference tpn_torch.py --model M.safetensors \\
                     --precision bf16 --threads 2 --batch 2 --size 112 --rounds 3 --json out.json

Needs torch and numpy; torch.compile also needs a C++ compiler. `--reference` names a Python file with the network as
PyTorch users write it: build(config) makes a module whose state dict has mmaction2's names, and module.loss(clips,
labels) its losses. Every way of running it (memory layout, eager or compiled; bf16 under autocast) has a process of its
own, so that its peak of resident memory is its own too. First the losses, gradient norms and gradients of the two
programs are compared; then the ways are timed, and the fastest takes turns with tpn_bench. On a machine that others use,
compare medians over several rounds, or the processor time with OMP_WAIT_POLICY=passive, which others disturb least.
Exit status: 0, or 1 when losses or gradients differ or a program fails.

Shape letters: N clips, T frames, H, W pixels, C channels.
"""
import argparse
import importlib.util
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np
import torch

from pytorch_tpn import read_safetensors

# Relative differences of the first step's loss, of its gradient's norm, and of the whole gradient (L2). Networks with
# random weights amplify rounding, in the backward pass most of all: PyTorch's own layouts differ by as much.
TOLERANCE = {'f32': (1e-5, 2e-3, 5e-2), 'bf16': (0.1, 0.25, 1)}

WAYS = {'contiguous, eager': (torch.contiguous_format, False),
        'channels_last_3d, eager': (torch.channels_last_3d, False),
        'channels_last_3d, compile': (torch.channels_last_3d, True)}


def clips_of_tpn_bench(count, frames, height, width):
    """The clips that tpn_bench trains on, (N, T, H, W, 3): uniform with mean 0 and variance 1, exact in bf16."""
    size = frames * height * width * 3
    # The linear congruential sequence of each clip, 2^k terms at a time: s[i + n] = a^n s[i] + c (a^n - 1) / (a - 1).
    multiplier, increment, mask = 1664525, 1013904223, 0xffffffff
    states = np.empty((count, size), np.uint64)
    for i in range(count):
        first = (i * 2654435761 + 1) & mask
        states[i, 0] = (first * multiplier + increment) & mask
        filled, a, c = 1, multiplier, increment
        while filled < size:
            more = min(filled, size - filled)
            states[i, filled:filled + more] = (states[i, :more] * np.uint64(a) + np.uint64(c)) & np.uint64(mask)
            filled, a, c = filled + more, a * a & mask, (a * c + c) & mask
    unit = (states >> np.uint64(8)).astype(np.float32) * np.float32(2**-24)
    values = torch.from_numpy(np.float32(np.sqrt(np.float32(3))) * (2 * unit - 1)).bfloat16().float()
    return values.reshape(count, frames, height, width, 3)


def frozen(name, modules):
    return any(name == module or name.startswith(module + '.') for module in modules)


class Way:
    """A network and its optimizer, run in one way."""

    def __init__(self, args, report, name):
        layout, compiled = WAYS[name]
        spec = importlib.util.spec_from_file_location('reference', args.reference)
        reference = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(reference)
        state, metadata = read_safetensors(args.model)
        config = json.loads(metadata['tpn.config'])
        self.network = reference.build(config).train()
        self.network.load_state_dict(state)
        del state
        options = report['training']
        for module_name, module in self.network.named_modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = options['dropout']
            if frozen(module_name, options['frozen']):
                module.eval()
        for parameter_name, parameter in self.network.named_parameters():
            parameter.requires_grad_(not frozen(parameter_name, options['frozen']))
        self.network = self.network.to(memory_format=layout)
        self.learned = {n: p for n, p in self.network.named_parameters() if p.requires_grad}
        self.max_norm, self.half = options['max_norm'], args.precision == 'bf16'
        self.optimizer = torch.optim.SGD(self.learned.values(), options['learning_rate'], options['momentum'],
                                         weight_decay=options['weight_decay'], nesterov=options['nesterov'])
        timing, (frames, height, width) = report['timings'][0], report['view']
        clips = clips_of_tpn_bench(timing['views'], frames, height, width)
        if config['model']['backbone']['dims'] == 2:  # (N, T, 3, H, W)
            self.clips = clips.permute(0, 1, 4, 2, 3).contiguous()
        else:  # (N, 1, 3, T, H, W), whose clips lie in memory as the layout says
            self.clips = clips.permute(0, 4, 1, 2, 3).contiguous(memory_format=layout).unsqueeze(1)
        self.labels = torch.tensor(timing['training']['labels'])
        self.loss = torch.compile(self.network.loss) if compiled else self.network.loss

    def step(self):
        """Returns the loss and the gradient's norm."""
        self.optimizer.zero_grad(set_to_none=True)
        with torch.autocast('cpu', torch.bfloat16, enabled=self.half):
            loss = sum(self.loss(self.clips, self.labels).values())
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.learned.values(), self.max_norm or float('inf'))
        self.optimizer.step()
        return loss.item(), norm.item()

    def momentum(self):
        return {name: self.optimizer.state[p]['momentum_buffer'] for name, p in self.learned.items()}


def difference(value, expected):
    return abs(value - expected) / abs(expected)


def compare(momentum, path):
    """The relative L2 difference of all gradients from tpn_bench's, and of the worst three, with their names."""
    expected = {name.removeprefix('momentum/'): value for name, value in read_safetensors(path)[0].items()}
    if set(expected) != set(momentum):
        raise ValueError(f'other parameters are learned: {sorted(set(expected) ^ set(momentum))[:5]}')
    parts = {n: (float((momentum[n].double() - e.double()).norm()), float(e.double().norm()))
             for n, e in expected.items()}
    whole = sum(d * d for d, _ in parts.values())**0.5 / sum(e * e for _, e in parts.values())**0.5
    worst = sorted(((d / e if e else float(d > 0)), n) for n, (d, e) in parts.items())[-3:]
    return whole, worst[::-1]


def work(args):
    """One way in this process: prints its results as JSON."""
    torch.set_num_threads(args.threads)
    with open(args.report) as file:
        report = json.load(file)
    result = {'imports_rss': resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}
    way = Way(args, report, args.way)
    steps = [way.step()]
    if args.momentum:
        result['gradient_difference'], result['worst_gradients'] = compare(way.momentum(), args.momentum)
    steps += [way.step() for _ in range(2)]
    seconds, processor = [], []
    for _ in range(args.repetitions):
        start = time.perf_counter(), time.process_time()
        way.step()
        seconds.append(time.perf_counter() - start[0])
        processor.append(time.process_time() - start[1])
    result.update(steps=steps, seconds=seconds, median=statistics.median(seconds),
                  processor_median=statistics.median(processor),
                  peak_rss=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
    print(json.dumps(result))


def run_way(args, name, repetitions, momentum):
    command = [sys.executable, os.path.abspath(__file__), '--way', name, '--report', args.report, '--reference',
               args.reference, '--model', args.model, '--precision', args.precision, '--threads', str(args.threads),
               '--repetitions', str(repetitions)]
    if momentum:
        command += ['--momentum', momentum]
    environment = dict(os.environ, OMP_NUM_THREADS=str(args.threads))
    process = subprocess.run(command, stdout=subprocess.PIPE, env=environment, timeout=args.seconds)
    if process.returncode != 0:
        raise RuntimeError(f'exit status {process.returncode}')
    return json.loads(process.stdout.splitlines()[-1])


def run_tpn_bench(args, more):
    command = [args.tpn_bench, '--train', '--model', args.model, '--precision', args.precision, '--threads',
               str(args.threads), '--batch', str(args.batch), '--size', str(args.size), '--dropout', '0',
               '--peak-seconds', '0', '--min-time', '0', '--runs', str(args.repetitions), '--json', '-', *more]
    if args.freeze:
        command += ['--freeze', args.freeze]
    return json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--tpn-bench', help='the program')
    parser.add_argument('--reference', required=True, help='Python file with the network')
    parser.add_argument('--model', required=True, help='model file (safetensors with tpn.config)')
    parser.add_argument('--precision', choices=tuple(TOLERANCE), default='f32')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--batch', type=int, default=2, help='clips in one step')
    parser.add_argument('--size', type=int, default=112, help='height and width of a clip')
    parser.add_argument('--freeze', default='', help='modules that are not learned, as for tpn_bench')
    parser.add_argument('--repetitions', type=int, default=5, help='timed steps of each process')
    parser.add_argument('--rounds', type=int, default=3, help='turns of both programs')
    parser.add_argument('--seconds', type=float, help='give up a way after that time')
    parser.add_argument('--no-compile', action='store_true', help='leave out torch.compile')
    parser.add_argument('--json', help='write the results here')
    for name in ('--way', '--report', '--momentum'):  # of the processes that this one starts
        parser.add_argument(name, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.way and not args.tpn_bench:
        parser.error('--tpn-bench is required')
    return args


def timed_ways(args, first, momentum):
    """The results of each way whose numbers agree with tpn_bench's first steps; prints them."""
    loss, norm, gradient = TOLERANCE[args.precision]
    results, wrong = {}, False
    print('ms a step: median, min; peak MiB; relative difference of loss, gradient norm, gradients; way', flush=True)
    for name, (_, compiled) in WAYS.items():
        if compiled and args.no_compile:
            continue
        try:
            result = run_way(args, name, args.repetitions, momentum)
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f'{"failed":>20}  {name}: {error}', flush=True)
            continue
        found = result['steps'][0]
        differences = (difference(found[0], first['loss']), difference(found[1], first['gradient_norm']),
                       result['gradient_difference'])
        print(f'{result["median"] * 1e3:10.1f}{min(result["seconds"]) * 1e3:10.1f}{result["peak_rss"] / 2**20:8.0f}' +
              ''.join(f'{d:10.1e}' for d in differences) + f'  {name}', flush=True)
        if not all(d <= t for d, t in zip(differences, (loss, norm, gradient))):
            print(f'WRONG: {name} gives {result["steps"]}, worst {result["worst_gradients"]}', flush=True)
            wrong = True
        results[name] = result
    return results, wrong


def main():
    args = arguments()
    if args.way:
        return work(args)
    with tempfile.TemporaryDirectory() as folder:
        momentum, args.report = os.path.join(folder, 'momentum.safetensors'), os.path.join(folder, 'report.json')
        report = run_tpn_bench(args, ['--save-momentum', momentum])
        with open(args.report, 'w') as file:
            json.dump(report, file)
        ours = report['timings'][0]
        print(f'torch {torch.__version__}, {args.threads} threads, {args.precision}, {report["machine"]["processor"]}, '
              f'{args.batch} clips of {report["view"]}')
        print(f'tpn_bench: {ours["seconds"]["median"] * 1e3:.1f} ms, {ours["training"]["first_steps"]}', flush=True)
        ways, wrong = timed_ways(args, ours['training']['first_steps'][0], momentum)
        if not ways:
            return 1
        best = min(ways, key=lambda name: ways[name]['median'])
        rounds = []
        for _ in range(args.rounds):
            mine = run_tpn_bench(args, ['--no-verify'])['timings'][0]
            theirs = run_way(args, best, args.repetitions, None)
            rounds.append({'tpn': mine['seconds']['median'], 'torch': theirs['median'],
                           'tpn_processor': mine['processor_seconds']['median'],
                           'torch_processor': theirs['processor_median'],
                           'tpn_peak': mine['peak_memory_bytes'], 'torch_peak': theirs['peak_rss']})
            print(f'tpn {rounds[-1]["tpn"] * 1e3:.1f} ms, {rounds[-1]["tpn_peak"] / 2**20:.0f} MiB; '
                  f'PyTorch ({best}) {rounds[-1]["torch"] * 1e3:.1f} ms, {rounds[-1]["torch_peak"] / 2**20:.0f} MiB',
                  flush=True)
    summary = {key: statistics.median(r[key] for r in rounds) for key in rounds[0]} if rounds else {}
    if summary:
        ratio = {key: summary[f'tpn{key}'] / summary[f'torch{key}'] for key in ('', '_processor', '_peak')}
        print(f'medians of {args.rounds} turns: a step takes {ratio[""]:.3f} of PyTorch\'s time, '
              f'{ratio["_processor"]:.3f} of its processor time and {ratio["_peak"]:.3f} of its memory')
    if args.json:
        with open(args.json, 'w') as file:
            json.dump({'torch': torch.__version__, 'precision': args.precision, 'threads': args.threads, 'best': best,
                       'summary': summary, 'rounds': rounds, 'ways': ways, 'tpn': report}, file, indent=1)
            file.write('\n')
    return 1 if wrong else 0


if __name__ == '__main__':
    sys.exit(main())
