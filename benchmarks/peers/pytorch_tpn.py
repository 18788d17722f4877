#!/usr/bin/env python3
"""Times PyTorch on a TPN model file and input, for comparison with tpn_bench on the same machine.

    pytorch_tpn.py --model M.safetensors --input IN.safetensors --precision bf16 --threads 2 --json out.json
    pytorch_tpn.py --model M.safetensors --device cuda --precision bf16 --batch 30 --seconds 120 --json out.json

Needs torch and numpy; torch.compile also needs a C++ compiler. The network is written here in plain PyTorch and runs
straight from the model file's tensors (mmaction2's names) and its `tpn.config`. Every way of running it that PyTorch
offers (memory layout, 3D or 2D convolutions, batch norm kept or folded, eager or compiled, on CUDA as a captured graph,
autocast or pure 16-bit) is checked against the plain float32 network first, then timed; the fastest is what an engine
has to beat. The input lies in the device's memory in the type and layout of the way. On a busy machine compare minima, or the processor time with OMP_WAIT_POLICY=passive, which others' load disturbs least.
Exit status: 0, or 1 when a way of running gave wrong logits (it is then not timed).

Shape letters: N views, C channels, T frames (TSM: segments), H, W pixels, K classes.
"""
import argparse
import json
import os
import statistics
import struct
import sys
import time

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

# Relative L2 error of the logits against plain float32. Float32 leaves room for another order of summation through
# some hundred layers. In bf16 PyTorch is 0.05 to 0.26 off on networks with random weights, the deeper the more (each
# stored activation is rounded to 8 bits, and the logits are small differences of such); wrong kernels give about 1.
TOLERANCE = {'f32': 1e-4, 'tf32': 0.05, 'f16': 0.05, 'bf16': 0.35}

HALF = {'f16': torch.float16, 'bf16': torch.bfloat16}


# ---------------------------------------------------------------- files

_DTYPES = {'F64': np.float64, 'F32': np.float32, 'F16': np.float16, 'BF16': np.uint16, 'I64': np.int64,
           'I32': np.int32, 'I16': np.int16, 'I8': np.int8, 'U8': np.uint8, 'BOOL': np.bool_}


def read_header(path):
    """Returns ({name: entry}, metadata, where the data begins)."""
    with open(path, 'rb') as file:
        size, = struct.unpack('<Q', file.read(8))
        header = json.loads(file.read(size))
    metadata = header.pop('__metadata__', {})
    return header, metadata, 8 + size


def read_safetensors(path):
    """Returns ({name: torch tensor}, metadata); floating-point tensors come as float32."""
    header, metadata, begin_of_data = read_header(path)
    tensors = {}
    data = np.memmap(path, np.uint8, 'r', begin_of_data)
    for name, entry in header.items():
        begin, end = entry['data_offsets']
        array = np.array(data[begin:end]).view(_DTYPES[entry['dtype']]).reshape(entry['shape'])
        if entry['dtype'] == 'BF16':  # the upper half of a float32
            array = (array.astype(np.uint32) << 16).view(np.float32)
        tensors[name] = torch.from_numpy(array.astype(np.float32) if array.dtype.kind == 'f' else array)
    return tensors, metadata


def write_safetensors(path, name, tensor):
    """Writes one float32 tensor."""
    array = np.ascontiguousarray(tensor.numpy(), '<f4')
    header = json.dumps({name: {'dtype': 'F32', 'shape': array.shape, 'data_offsets': [0, array.nbytes]}}).encode()
    header += b' ' * (-(8 + len(header)) % 64)
    with open(path, 'wb') as file:
        file.write(struct.pack('<Q', len(header)) + header + array.tobytes())


# ---------------------------------------------------------------- the network

class Network(nn.Module):
    """SlowOnly and TSM networks over (N, C, T, H, W) activations, from a state dict and a `tpn.config`.

    A 2D (TSM) convolution is the 3D one with kernel (1, k, k), so both backbones share everything but the shift.

    layout: 'contiguous' and 'channels_last_3d' run 3D convolutions in that memory format. 'images' keeps
    channels_last_3d activations and views them for 2D convolutions, without copies: (1, k, k) is k x k over N*T images,
    (3, 1, 1) is 3 x 1 over an image of T rows and H*W columns. 'images+linear' does also (1, 1, 1) as a matrix product.
    fold: batch norm goes into the convolution before it.
    """

    def __init__(self, state, config, layout, fold):
        super().__init__()
        self.backbone, self.neck = config['backbone'], config['neck']
        self.layout, self.fold, self.keys = layout, fold, set(state)
        self.memory_format = torch.contiguous_format if layout == 'contiguous' else torch.channels_last_3d
        for key, value in state.items():
            if key.endswith('weight') and value.ndim >= 4:
                self.add_unit(key[:-len('.weight')].removesuffix('.net').removesuffix('.conv'), key, value, state)
        self.add('cls_head.fc_cls.weight', state['cls_head.fc_cls.weight'])
        self.add('cls_head.fc_cls.bias', state['cls_head.fc_cls.bias'])

    def add(self, name, tensor):
        self.register_parameter(name.replace('.', '_'), nn.Parameter(tensor.clone(), requires_grad=False))

    def get(self, name):
        return getattr(self, name.replace('.', '_'), None)

    def add_unit(self, unit, key, weight, state):
        """Prepares one convolution (Cout, Cin/groups, [kt,] kh, kw) and the batch norm behind it, if it has one."""
        if key.startswith('neck.aux_head'):  # used in training only
            return
        weight = weight.unsqueeze(2) if weight.ndim == 4 else weight
        kernel = weight.shape[2:]
        norm = [state.get(f'{unit}.bn.{name}') for name in ('weight', 'bias', 'running_mean', 'running_var')]
        if norm[0] is not None and self.fold:
            scale = norm[0].double() / torch.sqrt(norm[3].double() + 1e-5)
            weight = (weight.double() * scale.reshape(-1, 1, 1, 1, 1)).float()
            self.add(f'{unit}.bias', (norm[1].double() - norm[2].double() * scale).float())
        elif norm[0] is not None:
            for name, value in zip(('weight', 'bias', 'mean', 'var'), norm):
                self.add(f'{unit}.bn.{name}', value)
        if not self.layout.startswith('images'):
            weight = weight.contiguous(memory_format=self.memory_format)
        elif kernel == (1, 1, 1) and self.layout == 'images+linear' and '.downsamples.' not in unit:  # (has groups)
            weight = weight.flatten(1)
        else:
            weight = (weight.squeeze(2) if kernel[0] == 1 else weight.squeeze(4)).contiguous(
                memory_format=torch.channels_last)
        self.add(f'{unit}.weight', weight)
        if '.net.' in key:
            self.keys.add(f'{unit}.shifted')

    def unit(self, x, name, stride=1, relu=True):
        """Convolution, batch norm where there is one, ReLU. The stride is spatial; padding is kernel // 2."""
        weight, bias = self.get(f'{name}.weight'), self.get(f'{name}.bias')
        groups = x.shape[1] // weight.shape[1]
        if weight.ndim == 5:
            padding = tuple(k // 2 for k in weight.shape[2:])
            x = F.conv3d(x, weight, bias, (1, stride, stride), padding, groups=groups)
        elif weight.ndim == 2:
            x = F.linear(x[..., ::stride, ::stride].permute(0, 2, 3, 4, 1), weight, bias).permute(0, 4, 1, 2, 3)
        elif weight.shape[2] != weight.shape[3]:  # (3, 1, 1): rows are frames
            size = x.shape[3:]
            x = F.conv2d(x.flatten(3), weight, bias, 1, (1, 0), groups=groups).unflatten(3, size)
        else:
            frames = x.shape[2]
            x = F.conv2d(x.transpose(1, 2).flatten(0, 1), weight, bias, stride, weight.shape[2] // 2, groups=groups)
            x = x.unflatten(0, (-1, frames)).transpose(1, 2)
        if self.get(f'{name}.bn.weight') is not None:
            bn = [self.get(f'{name}.bn.{key}') for key in ('mean', 'var', 'weight', 'bias')]
            x = F.batch_norm(x, *bn, eps=1e-5)
        return F.relu(x) if relu else x

    def shift(self, x):
        """TSM: the first C/div channels take their value from the next frame, the next C/div from the one before."""
        fold = x.shape[1] // self.backbone['shift_div']
        later = F.pad(x[:, :fold, 1:], (0, 0, 0, 0, 0, 1))
        earlier = F.pad(x[:, fold:2 * fold, :-1], (0, 0, 0, 0, 1, 0))
        return torch.cat([later, earlier, x[:, 2 * fold:]], 1).contiguous(memory_format=self.memory_format)

    def block(self, x, name, stride):
        shifted = self.shift(x) if f'{name}.conv1.shifted' in self.keys else x
        out = self.unit(shifted, f'{name}.conv1')
        out = self.unit(out, f'{name}.conv2', stride)
        out = self.unit(out, f'{name}.conv3', relu=False)
        if self.get(f'{name}.downsample.weight') is not None:
            source = shifted if self.backbone.get('tsm_position') == 'inplace' else x
            x = self.unit(source, f'{name}.downsample', stride, relu=False)
        return F.relu(out + x)

    def features(self, x):
        """(N, 3, T, H, W) -> the levels that the neck reads, each (N, C, T, H, W)."""
        x = self.unit(x, 'backbone.conv1', 2)
        x = F.max_pool3d(x, (1, 3, 3), (1, 2, 2), (0, 1, 1))
        levels = []
        for stage in range(4):
            index = 0
            while self.get(f'backbone.layer{stage + 1}.{index}.conv1.weight') is not None:
                x = self.block(x, f'backbone.layer{stage + 1}.{index}', 2 if stage > 0 and index == 0 else 1)
                index += 1
            if stage in self.backbone['out_indices']:
                levels.append(x)
        return levels

    @staticmethod
    def pool(x, scale):
        """Max over windows of `scale` (t, h, w); the last window of an axis may be shorter."""
        return x if tuple(scale) == (1, 1, 1) else F.max_pool3d(x, tuple(scale), ceil_mode=True)

    def level_fusion(self, levels, name):
        scales = self.neck['level_fusion_cfg']['downsample_scales']
        fused = [self.unit(self.pool(x, scale), f'{name}.downsamples.{i}.conv')
                 for i, (x, scale) in enumerate(zip(levels, scales))]
        return self.unit(torch.cat(fused, 1), f'{name}.fusion_conv')

    def forward(self, x):
        """(N, 3, T, H, W), normalised -> logits (N, K)."""
        levels = self.features(x)
        spatial = 'neck.spatial_modulation.spatial_modulation'
        for i in range(len(levels)):
            step = 0
            while self.get(f'{spatial}.{i}.{step}.weight') is not None:
                levels[i] = self.unit(levels[i], f'{spatial}.{i}.{step}', 2)
                step += 1
        for i, scale in enumerate(self.neck['temporal_modulation_cfg']['downsample_scales']):
            levels[i] = self.pool(self.unit(levels[i], f'neck.temporal_modulation_ops.{i}.conv', relu=False),
                                  (scale, 1, 1))
        modulated = list(levels)
        if self.neck.get('upsample_cfg'):
            factor = tuple(float(s) for s in self.neck['upsample_cfg']['scale_factor'])
            for i in reversed(range(1, len(levels))):
                above = levels[i] if factor == (1, 1, 1) else F.interpolate(levels[i], scale_factor=factor)
                levels[i - 1] = levels[i - 1] + above
        top_down = self.level_fusion(levels, 'neck.level_fusion_1')
        if self.neck.get('flow_type', 'cascade') == 'parallel':
            levels = modulated
        if self.neck.get('downsample_cfg'):
            scale = self.neck['downsample_cfg']['downsample_scale']
            before = self.neck['downsample_cfg'].get('downsample_position', 'after') == 'before'
            for i in range(len(levels) - 1):
                below = self.pool(levels[i], scale) if before else levels[i]
                below = self.unit(below, f'neck.downsample_ops.{i}.conv', relu=False)
                levels[i + 1] = levels[i + 1] + (below if before else self.pool(below, scale))
        bottom_up = self.level_fusion(levels, 'neck.level_fusion_2')
        x = self.unit(torch.cat([top_down, bottom_up], 1), 'neck.pyramid_fusion')
        return F.linear(x.mean((2, 3, 4)), self.get('cls_head.fc_cls.weight'), self.get('cls_head.fc_cls.bias'))


# ---------------------------------------------------------------- ways of running it

def variants(precision, compiled, device):
    """Yields (name, layout, fold, mode, cast): mode is 'eager', 'graph' (captured, CUDA only) or 'compile'; cast is None,
    'autocast' or 'pure'. On CUDA the usually fastest come first, since not all may get their time."""
    modes = [('eager', False), ('eager', True)] if device == 'cpu' else [('graph', True), ('eager', False)]
    if compiled:
        modes.insert(2 if device == 'cpu' else 1, ('compile', True))
    layouts = ('contiguous', 'channels_last_3d', 'images', 'images+linear')
    casts = ('autocast', 'pure') if precision in HALF else (None, )
    if device == 'cuda':
        layouts, casts = layouts[::-1], casts[::-1]
    for cast in casts:
        for layout in layouts:
            for mode, fold in modes:
                parts = [layout, 'bn folded' if fold else 'bn kept', mode]
                yield ', '.join(parts + ([cast] if cast else [])), layout, fold, mode, cast


class Way:
    """The network run in one way: from (N, 3, T, H, W) as prepare() gives it to float32 logits (N, K)."""

    def __init__(self, state, config, device, precision, layout, fold, mode, cast):
        self.device, self.precision, self.cast, self.graph = device, precision, cast, None
        self.network = Network(state, config, layout, fold).eval().to(device)
        self.memory_format, self.captures = self.network.memory_format, mode == 'graph'
        if cast == 'pure':
            self.network = self.network.to(HALF[precision])
        if mode == 'compile':
            torch._dynamo.reset()
            # Weights become constants, packed for oneDNN; on CUDA kernels are chosen by timing and captured.
            self.network = torch.compile(self.network, options={'freezing': True}) if device == 'cpu' else (
                torch.compile(self.network, mode='reduce-overhead'))

    def prepare(self, x):
        dtype = HALF[self.precision] if self.cast == 'pure' else torch.float32
        return x.to(self.device, dtype, memory_format=self.memory_format)

    def forward(self, x):
        half = HALF.get(self.precision, torch.bfloat16)
        with torch.no_grad(), torch.autocast(self.device, half, enabled=self.cast == 'autocast'):
            return self.network(x).float()

    def __call__(self, x):
        """x: what prepare() gave; for a captured graph the same tensor every time."""
        if not self.captures:
            return self.forward(x)
        if self.graph is None:
            self.forward(x)  # chooses algorithms, allocates workspaces
            torch.cuda.synchronize()
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.output = self.forward(x)
        self.graph.replay()
        return self.output


def measure(way, x, repetitions):
    """Wall and processor milliseconds per view of each repetition, after two warm-up runs."""
    finish = torch.cuda.synchronize if x.is_cuda else lambda: None
    for _ in range(2):
        way(x)
    finish()
    wall, cpu = [], []
    for _ in range(repetitions):
        start = time.perf_counter(), time.process_time()
        way(x)
        finish()
        wall.append((time.perf_counter() - start[0]) * 1e3 / x.shape[0])
        cpu.append((time.process_time() - start[1]) * 1e3 / x.shape[0])
    return wall, cpu


def relative_error(value, expected):
    value, expected = value.double().cpu(), expected.double().cpu()
    return float((value - expected).norm() / expected.norm())


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--model', required=True, help='model file (safetensors with tpn.config)')
    parser.add_argument('--input', help="safetensors with 'input' (views, 3, T, H, W); random where absent")
    parser.add_argument('--size', type=int, default=256, help='height and width of a random input')
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument('--precision', choices=tuple(TOLERANCE), default='f32')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--batch', type=int, default=1, help='views in one run')
    parser.add_argument('--repetitions', type=int, default=10)
    parser.add_argument('--seconds', type=float, help='begin no further way after that time')
    parser.add_argument('--only', default='', help='time only the ways whose name contains this')
    parser.add_argument('--no-compile', action='store_true', help='leave out torch.compile')
    parser.add_argument('--json', help='write the results here')
    parser.add_argument('--save-logits', metavar='OUT.safetensors', help="'logits' (views, K) of the fastest way")
    args = parser.parse_args()
    if args.precision == 'tf32' and args.device == 'cpu':
        parser.error('tf32 is a precision of CUDA devices')
    if args.device == 'cuda' and not torch.cuda.is_available():
        parser.error('this PyTorch sees no CUDA device')
    return args


def main():
    args = arguments()
    began = time.monotonic()
    torch.set_num_threads(args.threads)
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    state, metadata = read_safetensors(args.model)
    config = json.loads(metadata['tpn.config'])
    model = config['model']
    if args.input:
        views = read_safetensors(args.input)[0]['input']
    else:
        frames = model['backbone'].get('num_segments', 8) if model['backbone']['dims'] == 2 else (
            config['sampling']['clip_len'])
        views = torch.randn(args.batch, 3, frames, args.size, args.size, generator=torch.Generator().manual_seed(1))
    x = views[:args.batch]
    plain = Way(state, model, args.device, 'f32', 'contiguous', False, 'eager', None)
    expected = plain(plain.prepare(x)).cpu()
    del plain
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = args.precision == 'tf32'
    where = torch.cuda.get_device_name() if args.device == 'cuda' else f'{args.threads} threads'
    print(f'torch {torch.__version__}, {where}, {args.precision}, {config.get("name", "")}, '
          f'input {tuple(x.shape)}', flush=True)
    print('ms per view: median, min, min processor time / threads; relative error of the logits; way', flush=True)
    results, failed = [], False
    for name, *kind in variants(args.precision, not args.no_compile, args.device):
        if args.only not in name or (args.seconds and time.monotonic() - began > args.seconds):
            continue
        result = {'name': name}
        results.append(result)
        try:
            way = Way(state, model, args.device, args.precision, *kind)
            prepared = way.prepare(x)
            result['relative_error'] = relative_error(way(prepared), expected)
        except Exception as error:  # a way that this PyTorch cannot run is reported, and the others still count
            result['failure'] = f'{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ""}'
            print(f'{"failed":>30}{"":10}  {name}: {result["failure"]}', flush=True)
            continue
        if not result['relative_error'] <= TOLERANCE[args.precision]:
            failed = True
            result['failure'] = 'wrong logits'
            print(f'{"wrong":>30}{result["relative_error"]:10.1e}  {name}', flush=True)
            continue
        wall, cpu = measure(way, prepared, args.repetitions)
        del way, prepared
        result.update(ms_per_view=wall, median_ms=statistics.median(wall), min_ms=min(wall),
                      min_cpu_ms_per_thread=min(cpu) / args.threads)
        print(''.join(f'{result[key]:10.3f}' for key in ('median_ms', 'min_ms', 'min_cpu_ms_per_thread')) +
              f'{result["relative_error"]:10.1e}  {name}', flush=True)
    timed = [r for r in results if 'median_ms' in r]
    best = min(timed, key=lambda r: r['median_ms'], default=None)
    if best:
        print(f'best: {best["median_ms"]:.3f} ms per view (min {best["min_ms"]:.3f}), {best["name"]}')
    if args.json:
        with open(args.json, 'w') as file:
            json.dump({'torch': torch.__version__, 'device': where, 'threads': args.threads, 'precision': args.precision,
                       'config': config.get('name', ''), 'input_shape': list(x.shape), 'best': best,
                       'ways': results}, file, indent=1)
            file.write('\n')
    if args.save_logits and best:
        kind = next(kind for name, *kind in variants(args.precision, True, args.device) if name == best['name'])
        way = Way(state, model, args.device, args.precision, *kind)
        way.captures = False  # a graph would want every part at the same place
        logits = torch.cat([way(way.prepare(part)).cpu() for part in views.split(args.batch)])
        write_safetensors(args.save_logits, 'logits', logits)
    return 1 if failed or not best else 0


if __name__ == '__main__':
    sys.exit(main())
