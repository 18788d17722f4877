#!/usr/bin/env python3
"""Compares tpn_finetune with mmaction2's own trainer, step by step, on the same weights and clips.

    mmaction2_train.py --programs build/release/apps --model M.safetensors --list LIST [--root DIR] --batch 4 --epochs 2

Needs a Python with mmaction2 1.2.0 (for which torch 2.1, mmcv-lite 2.1.0, mmengine 0.10.7 and decord do). LIST has lines of
PATH LABEL, with the labels of M, a SlowOnly. Both take the clips in its order, the middle clip and crop of each, without
dropout; both train everything, at a constant rate. mmaction2's Runner gets the architecture from M's configuration, its
weights from what tpn_convert --to-pth writes (strictly), and its optimizer from the released configuration (SGD with
Nesterov's momentum, weight decay, gradients clipped to a norm of 40).
Prints the losses of both at every step, and how far their final parameters are from each other, relative to how far
they came; then tpn_convert reads the checkpoint that mmaction2 wrote, and its tensors are compared.
Exit status: 0, or 1 when a loss is more than --tolerance off, or a converted tensor differs.
"""
import argparse
import json
import os
import subprocess
import sys
import tempfile

from mmaction2_api import import_mmaction2
from pytorch_tpn import read_header, read_safetensors

PYRAMID_CHANNELS = 2048  # in mmaction2 not a setting


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--programs', required=True, help='folder with tpn_finetune and tpn_convert')
    parser.add_argument('--model', required=True, help='model file (safetensors with tpn.config)')
    parser.add_argument('--list', required=True)
    parser.add_argument('--root', help="where the list's paths begin (default: its folder)")
    parser.add_argument('--batch', type=int, default=4)
    parser.add_argument('--epochs', type=int, default=2)
    parser.add_argument('--lr', type=float, default=0.0005, help='constant; at higher rates rounding soon grows')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--tolerance', type=float, default=1e-2, help='largest relative difference of a loss')
    args = parser.parse_args()
    args.root = args.root or os.path.dirname(os.path.abspath(args.list))
    return args


def train_with_tpn(args, folder):
    """Returns the loss of every step, and the final checkpoint."""
    subprocess.run([os.path.join(args.programs, 'tpn_finetune'), '--model', args.model, '--train', args.list, '--root',
                    args.root, '--work-dir', folder, '--freeze', 'none', '--augment', 'none', '--dropout', '0', '--shuffle',
                    'off', '--epochs', str(args.epochs), '--batch', str(args.batch), '--lr', str(args.lr), '--schedule',
                    'multistep', '--milestones', str(args.epochs), '--device', 'cpu', '--threads', str(args.threads)],
                   stdout=subprocess.DEVNULL, check=True)
    with open(os.path.join(folder, 'log.jsonl')) as file:
        steps = [line for line in map(json.loads, file) if 'gradient_norm' in line]
    return [step['loss'] for step in steps], os.path.join(folder, 'model.pth')


def with_tuples(value):
    """mmaction2 asserts that its lists are tuples."""
    if isinstance(value, dict):
        return {key: with_tuples(part) for key, part in value.items()}
    return tuple(map(with_tuples, value)) if isinstance(value, list) else value


def model_settings(config):
    """mmaction2's settings of the model that `tpn.config` describes."""
    backbone, neck, head = (with_tuples(config['model'][part]) for part in ('backbone', 'neck', 'cls_head'))
    backbone = dict(type='ResNet3dSlowOnly', depth=backbone['depth'], base_channels=backbone.get('base_channels', 64),
                    lateral=False, out_indices=backbone['out_indices'], conv1_kernel=(1, 7, 7), conv1_stride_t=1,
                    pool1_stride_t=1, inflate=backbone['inflate'], norm_eval=False, pretrained=None)
    if neck.pop('pyramid_channels', PYRAMID_CHANNELS) != PYRAMID_CHANNELS:
        raise ValueError(f'mmaction2 can only build pyramids of {PYRAMID_CHANNELS} channels')
    sampling = config['sampling']
    return dict(type='Recognizer3D', backbone=backbone, neck=dict(type='TPN', **neck),
                cls_head=dict(type='TPNHead', spatial_type='avg', consensus=dict(type='AvgConsensus', dim=1), **head),
                data_preprocessor=dict(type='ActionDataPreprocessor', mean=sampling['mean'], std=sampling['std'],
                                       format_shape='NCTHW'))


def pipeline(sampling):
    size = sampling['crop_size']
    return [dict(type='DecordInit'),
            dict(type='SampleFrames', clip_len=sampling['clip_len'], frame_interval=sampling['frame_interval'], num_clips=1,
                 test_mode=True),
            dict(type='DecordDecode'), dict(type='Resize', scale=(-1, sampling['short_side'])),
            dict(type='CenterCrop', crop_size=size), dict(type='FormatShape', input_format='NCTHW'),
            dict(type='PackActionInputs')]


def train_with_mmaction2(args, folder):
    """Returns the loss of every step, the parameters before and those after."""
    import_mmaction2()
    import torch
    from mmaction.utils import register_all_modules
    from mmengine.hooks import Hook
    from mmengine.runner import Runner
    register_all_modules()
    torch.set_num_threads(args.threads)
    config = json.loads(read_header(args.model)[1]['tpn.config'])
    runner = Runner(
        model=model_settings(config), work_dir=folder, default_scope='mmaction', log_level='ERROR',
        train_dataloader=dict(
            batch_size=args.batch, num_workers=0, sampler=dict(type='DefaultSampler', shuffle=False),
            dataset=dict(type='VideoDataset', ann_file=args.list, data_prefix=dict(video=args.root),
                         pipeline=pipeline(config['sampling']))),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=args.lr, momentum=0.9, weight_decay=1e-4, nesterov=True),
                           clip_grad=dict(max_norm=40, norm_type=2)),
        train_cfg=dict(type='EpochBasedTrainLoop', max_epochs=args.epochs),
        default_hooks=dict(checkpoint=dict(type='CheckpointHook', interval=args.epochs)))
    checkpoint = os.path.join(folder, 'initial.pth')
    subprocess.run([os.path.join(args.programs, 'tpn_convert'), '--to-pth', args.model, checkpoint],
                   stdout=subprocess.DEVNULL, check=True)
    initial = torch.load(checkpoint, weights_only=True)['state_dict']
    runner.model.load_state_dict(initial, strict=True)
    for module in runner.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0
    losses = []

    class Record(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            losses.append(outputs['loss'].item())

    runner.model.init_weights = lambda: None  # they are those of the checkpoint
    runner.register_hook(Record())
    runner.train()
    return losses, initial, runner.model.state_dict()


def differing_after_conversion(args, folder, final):
    """Names of the floating-point tensors that tpn_convert reads otherwise from the checkpoint that mmaction2 wrote."""
    architecture, converted = (os.path.join(folder, name) for name in ('architecture.json', 'converted.safetensors'))
    with open(architecture, 'w') as file:
        file.write(read_header(args.model)[1]['tpn.config'])
    subprocess.run([os.path.join(args.programs, 'tpn_convert'), '--config', architecture,
                    os.path.join(folder, f'epoch_{args.epochs}.pth'), converted], stdout=subprocess.DEVNULL, check=True)
    tensors, _ = read_safetensors(converted)
    return [name for name, tensor in final.items() if tensor.is_floating_point() and not tensors[name].equal(tensor)]


def main():
    args = arguments()
    with tempfile.TemporaryDirectory() as folder:
        ours, checkpoint = train_with_tpn(args, os.path.join(folder, 'tpn'))
        theirs, initial, final = train_with_mmaction2(args, os.path.join(folder, 'mmaction2'))
        differing = differing_after_conversion(args, os.path.join(folder, 'mmaction2'), final)
        import torch
        state = torch.load(checkpoint, weights_only=True)['state_dict']
    worst = 0
    for step, (a, b) in enumerate(zip(ours, theirs, strict=True), 1):
        worst = max(worst, abs(a - b) / abs(b))
        print(f'step {step:3}  loss {a:.6f}  mmaction2 {b:.6f}  relative difference {abs(a - b) / abs(b):.1e}')
    names = [name for name, tensor in state.items() if tensor.is_floating_point()]
    apart, way = (sum(((x[name].double() - y[name].double()) ** 2).sum().item() for name in names) ** 0.5
                  for x, y in ((state, final), (final, initial)))
    print(f'parameters and statistics: {apart / way:.1e} of the way that they came ({way:.3g}) apart')
    print(f"mmaction2's checkpoint, converted: {len(differing)} tensors differ", *differing[:3])
    return 0 if worst <= args.tolerance and not differing else 1


if __name__ == '__main__':
    sys.exit(main())
