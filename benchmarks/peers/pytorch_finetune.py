#!/usr/bin/env python3
"""Repeats a run of tpn_finetune in PyTorch, step by step, and compares losses, gradient norms and parameters.

    pytorch_finetune.py --build build/release --reference tpn_torch.py

Needs torch and numpy. `--reference` names a Python file with the network as PyTorch users write it: build(config) makes a
module whose state dict has mmaction2's names, and module.loss(clips, labels) its losses. Clips of motion_clips, as
loader_benchmark loads them, are learned from without augmentation, dropout and shuffling, from the same random weights;
PyTorch has clip_grad_norm_, SGD with Nesterov's momentum and MultiStepLR. It runs in f64, which counts as the truth, and
in f32, which shows how far rounding alone leads.
Exit status: 0, or 1 when something differs by more or a program fails.

Shape letters: N clips, T frames, C channels, H, W pixels.
"""
import argparse
import importlib.util
import json
import os
import subprocess
import sys
import tempfile

import torch

from pytorch_tpn import read_safetensors

# Relative differences from f64. Rounding gives 1e-7 to 1e-5. Where a value lies so near to 0, or two so near to each other,
# that it takes another branch of a ReLU or maximum, the gradient of one step jumps by some 1e-4, and momentum with it;
# parameters, which sum over steps, hardly notice. Anything that is computed otherwise is off by 1e-2 or more.
LOSSES, NORMS, PARAMETERS, MOMENTUM, STATISTICS = 1e-5, 2e-3, 1e-3, 5e-3, 1e-5

BATCH, EPOCHS, MILESTONE, RATE, GAMMA, CLIPS_OF_CLASS = 8, 4, 2, 0.01, 0.1, 2


def run(*command):
    subprocess.run([str(part) for part in command], check=True, stdout=subprocess.DEVNULL)


def run_tpn(options, folder):
    """Trains; returns its steps' records, its last tensors, the first ones, the configuration, clips and labels."""
    def app(name):
        return os.path.join(options.build, 'apps', name)

    def place(name):
        return os.path.join(folder, name)

    run(app('motion_clips'), place('clips'), '--clips', CLIPS_OF_CLASS, '--seed', 7)
    run(app('tpn_convert'), '--random', options.config, '--from-scratch', '--seed', 1, place('model.safetensors'))
    first, metadata = read_safetensors(place('model.safetensors'))
    config = json.loads(metadata['tpn.config'])
    files = sorted(os.path.join(parent, name) for parent, _, names in os.walk(place('clips')) for name in names)
    files = [name for name in files if name.endswith('.mp4')]
    classes = sorted({os.path.dirname(name) for name in files})
    # Clips of all classes by turns, so that a batch has several.
    files = [name for turn in range(CLIPS_OF_CLASS)
             for name in [n for n in files if files.index(n) % CLIPS_OF_CLASS == turn]]
    labels = [classes.index(os.path.dirname(name)) for name in files]
    with open(place('list.txt'), 'w') as listing:
        listing.writelines(f'{name} {label}\n' for name, label in zip(files, labels))
    sampling = config['sampling']
    run(os.path.join(options.build, 'benchmarks', 'loader_benchmark'), place('list.txt'), '--augment', 'none', '--epochs', 1,
        '--clip-len', sampling['clip_len'], '--frame-interval', sampling['frame_interval'], '--short-side',
        sampling['short_side'], '--crop', min(224, sampling['crop_size']), '--save', place('clips.safetensors'))
    clips = read_safetensors(place('clips.safetensors'))[0]['clips']
    run(app('tpn_finetune'), '--model', place('model.safetensors'), '--train', place('list.txt'), '--work-dir', place('run'),
        '--freeze', 'none', '--augment', 'none', '--dropout', 0, '--shuffle', 'off', '--device', 'cpu', '--batch', BATCH,
        '--epochs', EPOCHS, '--schedule', 'multistep', '--milestones', MILESTONE, '--gamma', GAMMA, '--lr', RATE,
        '--threads', options.threads)
    with open(place('run/log.jsonl')) as log:
        steps = [record for record in map(json.loads, log) if 'clips' in record]
    last = read_safetensors(place('run/last.safetensors'))[0]
    return steps, last, first, config, clips, torch.tensor(labels)


def run_torch(reference, first, config, clips, labels, dtype):
    """Returns (losses, norms, {name: tensor}) of the same run, what is kept of a parameter's momentum included."""
    network = reference.build(config).train()
    network.load_state_dict(first)
    network = network.to(dtype)
    for module in network.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    named = dict(network.named_parameters())
    optimizer = torch.optim.SGD(named.values(), RATE, momentum=0.9, weight_decay=1e-4, nesterov=True)
    schedule = torch.optim.lr_scheduler.MultiStepLR(optimizer, [MILESTONE], GAMMA)
    x = clips.to(dtype).permute(0, 4, 1, 2, 3).unsqueeze(1).contiguous()  # (N, 1, C, T, H, W)
    losses, norms = [], []
    for _ in range(EPOCHS):
        for begin in range(0, len(labels), BATCH):
            optimizer.zero_grad(set_to_none=True)
            loss = sum(network.loss(x[begin:begin + BATCH], labels[begin:begin + BATCH]).values())
            loss.backward()
            norms.append(torch.nn.utils.clip_grad_norm_(named.values(), 40).item())
            optimizer.step()
            losses.append(loss.item())
        schedule.step()
    tensors = {name: value.detach() for name, value in network.state_dict().items()}
    tensors |= {f'momentum/{name}': optimizer.state[p]['momentum_buffer'] for name, p in named.items()}
    return losses, norms, tensors


def relative(found, expected):
    return max(abs(f - e) / abs(e) for f, e in zip(found, expected, strict=True))


def distance(found, expected, names):
    """The relative L2 distance of the tensors with these names, all together."""
    off = sum(float((found[n].double() - expected[n].double()).square().sum()) for n in names)
    return (off / sum(float(expected[n].double().square().sum()) for n in names))**0.5


def compare(options):
    spec = importlib.util.spec_from_file_location('reference', options.reference)
    reference = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(reference)
    with tempfile.TemporaryDirectory() as folder:
        steps, last, first, config, clips, labels = run_tpn(options, folder)
    true_losses, true_norms, truth = run_torch(reference, first, config, clips, labels, torch.float64)
    losses, norms, rounded = run_torch(reference, first, config, clips, labels, torch.float32)
    floats = [name for name, value in truth.items() if value.is_floating_point()]
    momentum = [name for name in floats if name.startswith('momentum/')]
    statistics = [name for name in floats if name.endswith(('running_mean', 'running_var'))]
    parameters = sorted(set(floats) - set(momentum) - set(statistics))

    def moved(tensors):  # what training has changed, which is far less than what there is
        return {name: tensors[name].double() - first[name].double() for name in parameters}

    rows = [('losses, the worst of all steps', LOSSES, relative([s['loss'] for s in steps], true_losses),
             relative(losses, true_losses)),
            ('gradient norms, the worst', NORMS, relative([s['gradient_norm'] for s in steps], true_norms),
             relative(norms, true_norms)),
            ('change of all parameters', PARAMETERS, distance(moved(last), moved(truth), parameters),
             distance(moved(rounded), moved(truth), parameters)),
            ('momentum', MOMENTUM, distance(last, truth, momentum), distance(rounded, truth, momentum)),
            ('running statistics', STATISTICS, distance(last, truth, statistics), distance(rounded, truth, statistics))]
    print(f'{len(steps)} steps of {BATCH} clips, loss {true_losses[0]:.4f} to {true_losses[-1]:.4f}; '
          f'{len(parameters)} parameters')
    print(f'{"relative to PyTorch in f64":32} tpn_finetune  PyTorch in f32')
    bad = 0
    for what, tolerance, ours, theirs in rows:
        worse = not ours <= tolerance
        bad += worse
        print(f'{what:32} {ours:12.2e}  {theirs:14.2e}{"  more than " + str(tolerance) if worse else ""}')
    if any(int(last[name]) != int(value) for name, value in truth.items() if name.endswith('num_batches_tracked')):
        print('the batches that batch norms have seen are counted otherwise')
        bad += 1
    return 1 if bad else 0


def main():
    root = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--build', required=True, help='folder of a build')
    parser.add_argument('--reference', required=True, help='Python file with the network')
    parser.add_argument('--config', default=os.path.join(root, 'apps', 'demo', 'tpn-motion.json'), help='of the network')
    parser.add_argument('--threads', type=int, default=2)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    return compare(options)


if __name__ == '__main__':
    sys.exit(main())
