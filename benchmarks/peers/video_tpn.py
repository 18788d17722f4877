#!/usr/bin/env python3
"""Times the way from a video file to its label: other programs against tpn_infer, whole processes in turns.

    video_tpn.py --programs build/release/apps --model M.safetensors --video V.mp4 --views 1x1 --threads 2
    video_tpn.py ... --ways pytorch openvino-latency openvino-throughput --decoder decord
    video_tpn.py ... --ways mmaction2 --mmaction2-python VENV/bin/python

What each way is (TSM: mmaction2 alone, with 1x1 or, sampled twice, 2x3 views):

    pytorch     what a user's script does: reads the model file, decodes, samples clips, resizes the short side, takes crops,
                normalises, runs the network of pytorch_tpn.py in its best layout for the model as it is
                (channels_last_3d), view by view, and averages the probabilities
    openvino-*  the same around OpenVINO's runtime, under one of its hints, with as many views at once as it asks for; the
                network was converted before and kept as OpenVINO's own file
    mmaction2   init_recognizer and inference_recognizer with the released configuration and its test pipeline, with the
                clips and crops of --views; it loads what tpn_convert --to-pth writes

pytorch needs torch, numpy and PyAV or decord; openvino also onnx and openvino; mmaction2 a Python of its own with
mmaction2 1.2.0 (for which torch 2.1, mmcv-lite 2.1.0, mmengine 0.10.7 and decord do). Scores are compared with
tpn_infer's first; then all take turns. On a machine that others use compare the minima.
Exit status: 0, or 1 when scores differ or a program fails.

Shape letters: N views, T frames, C channels, H, W pixels, K classes.
"""
import argparse
import glob
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

SIDE = 256  # of a view, and of the frames' short side
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)
RELEASED = ('tpn-slowonly_r50_8xb8-8x8x1-150e_kinetics400-rgb.py',
            'tpn-tsm_imagenet-pretrained-r50_8xb8-1x1x8-150e_sthv1-rgb.py')
OPENVINO_FILE = 'network.xml'


# ---------------------------------------------------------------- from a file to views

def clip_frames(total, length, interval, clips):
    """Frame numbers (clips, T) of mmaction2's test protocol; past the end a video begins again."""
    slack = max(total - ((length - 1) * interval + 1), 0)
    starts = [slack // 2] if clips == 1 else [round(i * slack / (clips - 1)) for i in range(clips)]
    return [[(start + i * interval) % total for i in range(length)] for start in starts]


def decoded_by_pyav(path):
    """All frames: their number, and a function from numbers to (T, H, W, C) uint8."""
    import av
    import numpy as np
    with av.open(path) as container:
        stream = container.streams.video[0]
        stream.thread_type = 'AUTO'
        frames = [frame.to_ndarray(format='rgb24') for frame in container.decode(stream)]
    return len(frames), lambda numbers: np.stack([frames[i] for i in numbers])


def decoded_by_decord(path):
    import decord
    reader = decord.VideoReader(path)
    return len(reader), lambda numbers: reader.get_batch(numbers).asnumpy()


def crops_of(frames, count, side):
    """Frames (T, C, H, W) whose short side is `side` -> square clips: the centre, or left (top), right and middle."""
    height, width = frames.shape[2:]
    room = max(height, width) - side
    places = {1: [room // 2], 3: [0, room // 2 * 2, room // 2]}[count]
    axis = 2 if height > width else 3
    return [frames.narrow(axis, place, side) for place in places]


def views_of(args, sampling):
    """Yields the normalised views of the video, (1, C, T, H, W), channels innermost in memory."""
    import torch
    from torch.nn import functional as F
    clips, crops = (int(count) for count in args.views.split('x'))
    total, frames = {'pyav': decoded_by_pyav, 'decord': decoded_by_decord}[args.decoder](args.video)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    for numbers in clip_frames(total, sampling['clip_len'], sampling['frame_interval'], clips):
        clip = torch.from_numpy(frames(numbers)).permute(0, 3, 1, 2).float()
        factor = SIDE / min(clip.shape[2:])
        size = [int(n * factor + 0.5) for n in clip.shape[2:]]
        clip = (F.interpolate(clip, size, mode='bilinear', align_corners=False).round() - mean) / std
        for view in crops_of(clip, crops, SIDE):
            yield view.transpose(0, 1).unsqueeze(0).contiguous(memory_format=torch.channels_last_3d)


# ---------------------------------------------------------------- a way, in a process of its own: scores (K)

def pytorch_scores(args):
    import torch

    from pytorch_tpn import Network, read_safetensors
    torch.set_num_threads(args.threads)
    state, metadata = read_safetensors(args.model)
    config = json.loads(metadata['tpn.config'])
    network = Network(state, config['model'], 'channels_last_3d', False).eval()
    with torch.no_grad(), torch.autocast('cpu', torch.bfloat16, enabled=args.precision == 'bf16'):
        return torch.cat([network(view).float().softmax(1) for view in views_of(args, config['sampling'])]).mean(0)


def openvino_scores(args, hint):
    import openvino
    import torch

    from pytorch_tpn import read_header
    torch.set_num_threads(args.threads)
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(os.path.join(args.folder, OPENVINO_FILE)), 'CPU', {
        'PERFORMANCE_HINT': hint, 'INFERENCE_PRECISION_HINT': args.precision, 'INFERENCE_NUM_THREADS': args.threads})
    _, metadata, _ = read_header(args.model)
    config, scores = json.loads(metadata['tpn.config']), []
    queue = openvino.AsyncInferQueue(compiled)
    queue.set_callback(lambda request, _: scores.append(
        torch.from_numpy(request.get_output_tensor(0).data.copy()).softmax(1)))
    for view in views_of(args, config['sampling']):
        queue.start_async({0: view.contiguous().numpy()})
    queue.wait_all()
    return torch.cat(scores).mean(0)


def mmaction2_scores(args):
    from mmaction2_api import import_mmaction2
    mmaction = import_mmaction2()
    import mmengine
    import torch

    from pytorch_tpn import read_header
    from mmaction.apis import inference_recognizer, init_recognizer
    torch.set_num_threads(args.threads)
    sparse = json.loads(read_header(args.model)[1]['tpn.config'])['model']['backbone']['dims'] == 2  # TSM
    [path] = glob.glob(os.path.join(os.path.dirname(mmaction.__file__), '.mim/configs/recognition/tpn', RELEASED[sparse]))
    config = mmengine.Config.fromfile(path)
    config.model.backbone.pretrained = None
    clips, crops = (int(count) for count in args.views.split('x'))
    for step in config.test_pipeline:
        if step.type == 'SampleFrames':
            step.update(dict(twice_sample=clips == 2) if sparse else dict(num_clips=clips))
        elif step.type == 'RawFrameDecode':
            step.type = 'DecordDecode'
        elif step.type == 'ThreeCrop' and crops == 1:
            step.type = 'CenterCrop'
    if sparse:  # whose configuration reads folders of frames
        config.test_pipeline = [dict(type='DecordInit'), *config.test_pipeline]
    with torch.autocast('cpu', torch.bfloat16, enabled=args.precision == 'bf16'):
        recognizer = init_recognizer(config, os.path.join(args.folder, 'model.pth'), device='cpu')
        return inference_recognizer(recognizer, args.video).pred_score.float()


WAYS = {'pytorch': pytorch_scores,
        'openvino-latency': lambda args: openvino_scores(args, 'LATENCY'),
        'openvino-throughput': lambda args: openvino_scores(args, 'THROUGHPUT'),
        'mmaction2': mmaction2_scores}


# ---------------------------------------------------------------- turns

def convert_for_openvino(args):
    import openvino

    from runtimes_tpn import export
    args.batch, args.size = 1, SIDE
    export(args, args.folder)
    openvino.save_model(openvino.convert_model(args.network), os.path.join(args.folder, OPENVINO_FILE),
                        compress_to_fp16=False)


def own_command(args, work):
    """This script, for work in a process of its own."""
    return [args.mmaction2_python if work == 'mmaction2' else sys.executable, os.path.abspath(__file__), '--work', work,
            '--folder', args.folder, '--model', args.model, '--video', args.video, '--decoder', args.decoder, '--views',
            args.views, '--precision', args.precision, '--threads', str(args.threads)]


def prepare(args):
    """What ways need beside the model file, in args.folder. The process that measures stays small: what it starts would
    count its memory."""
    if any(way.startswith('openvino') for way in args.ways):
        subprocess.run(own_command(args, 'conversion'), stdout=subprocess.DEVNULL, check=True)
    if 'mmaction2' in args.ways:
        subprocess.run([os.path.join(args.programs, 'tpn_convert'), '--to-pth', args.model,
                        os.path.join(args.folder, 'model.pth')], stdout=subprocess.DEVNULL, check=True)


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
    parser.add_argument('--programs', help='folder with tpn_infer and tpn_convert')
    parser.add_argument('--model', required=True, help='model file (safetensors with tpn.config)')
    parser.add_argument('--video', required=True)
    parser.add_argument('--ways', nargs='+', choices=tuple(WAYS), default=['pytorch'])
    parser.add_argument('--decoder', choices=('pyav', 'decord'), default='pyav', help='of all ways but mmaction2')
    parser.add_argument('--mmaction2-python', default=sys.executable, help='the Python that has mmaction2')
    parser.add_argument('--views', default='1x1', help='CLIPSxCROPS, with 1 or 3 crops')
    parser.add_argument('--precision', choices=('f32', 'bf16'), default='f32')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--rounds', type=int, default=5, help='turns of all programs')
    parser.add_argument('--json', help='write the results here')
    for name in ('--work', '--folder'):  # of the processes that this one starts
        parser.add_argument(name, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.work and not args.programs:
        parser.error('--programs is required')
    return args


def main():
    args = arguments()
    if args.work == 'conversion':
        convert_for_openvino(args)
        return 0
    if args.work:
        scores = WAYS[args.work](args).tolist()
        print('\n' + json.dumps(scores))  # below whatever a library says
        return 0
    with tempfile.TemporaryDirectory() as args.folder:
        prepare(args)
        return take_turns(args)


def take_turns(args):
    commands = {'tpn': [os.path.join(args.programs, 'tpn_infer'), '--model', args.model, '--views', args.views, '--precision',
                        args.precision, '--threads', str(args.threads), '--format', 'json', '--scores', args.video]}
    commands.update((way, own_command(args, way)) for way in args.ways)
    results, scores = {name: [] for name in commands}, {}
    for _ in range(args.rounds):
        for name, command in commands.items():
            output, figures = measured(command, args.threads)
            results[name].append(figures)
            found = json.loads(output.splitlines()[-1])
            scores[name] = found['scores'] if name == 'tpn' else found
    differences = {way: max(abs(a - b) for a, b in zip(scores['tpn'], scores[way], strict=True)) for way in commands}
    tolerance = TOLERANCE[args.precision]
    print(f'{args.views} views in {args.precision}, {args.threads} threads, {args.decoder}, {args.rounds} rounds')
    print('seconds: median, min; processor seconds: min; peak MiB: median; of tpn\'s, as medians of the rounds\' ratios: '
          'seconds, processor seconds, MiB; largest difference of a score; way')
    for name, rounds in results.items():
        seconds = [r['seconds'] for r in rounds]
        ratios = [statistics.median(b[key] / a[key] for a, b in zip(results['tpn'], rounds))
                  for key in ('seconds', 'processor_seconds', 'peak_mib')]
        print(f'{statistics.median(seconds):10.2f}{min(seconds):10.2f}{min(r["processor_seconds"] for r in rounds):10.2f}'
              f'{statistics.median(r["peak_mib"] for r in rounds):10.0f}' + ''.join(f'{ratio:8.2f}' for ratio in ratios) +
              f'{differences[name]:10.1e}  {name}{"" if differences[name] <= tolerance else "  WRONG"}')
    if args.json:
        with open(args.json, 'w') as file:
            json.dump({'views': args.views, 'precision': args.precision, 'threads': args.threads, 'decoder': args.decoder,
                       'largest_differences': differences, 'rounds': results}, file, indent=1)
            file.write('\n')
    return 0 if all(difference <= tolerance for difference in differences.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
