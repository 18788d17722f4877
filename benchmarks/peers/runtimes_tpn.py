#!/usr/bin/env python3
"""Times ONNX Runtime and OpenVINO against tpn_bench on the same weights, input and threads, in turns.

    runtimes_tpn.py --programs build/release/apps --model M.safetensors --precision f32 --threads 2 --json out.json

Needs torch, numpy, onnx, onnxruntime and openvino. The plain network of pytorch_tpn.py is exported to ONNX in a temporary
folder. First the logits of every runtime, and those of tpn_infer, are compared with PyTorch's in float32; then all take
turns, round after round, each in a process of its own, so that idle threads of one do not wait actively beside another.
OpenVINO runs under its LATENCY hint, and under THROUGHPUT with as many requests at once as it asks for. On a machine that
others use compare the minima, or the medians over several rounds.
Exit status: 0, or 1 when logits differ or a program fails.

Shape letters: N views, T frames, H, W pixels.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

from pytorch_tpn import TOLERANCE, Network, read_safetensors, relative_error, write_safetensors

WAYS = {'f32': ('onnxruntime', 'openvino LATENCY', 'openvino THROUGHPUT'),
        'bf16': ('openvino LATENCY', 'openvino THROUGHPUT')}


# ---------------------------------------------------------------- a runtime, in a process of its own

def onnxruntime_way(args, views):
    """Returns a function that runs `views` once, and how many views a call takes."""
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = args.threads
    session = onnxruntime.InferenceSession(args.network, options, providers=['CPUExecutionProvider'])
    return lambda: session.run(None, {'views': views})[0], len(views)


def openvino_way(args, views, hint):
    import openvino
    core = openvino.Core()
    compiled = core.compile_model(core.read_model(args.network), 'CPU', {
        'PERFORMANCE_HINT': hint, 'INFERENCE_PRECISION_HINT': args.precision, 'INFERENCE_NUM_THREADS': args.threads})
    requests = [compiled.create_infer_request() for _ in range(compiled.get_property('OPTIMAL_NUMBER_OF_INFER_REQUESTS'))]

    def run():
        for request in requests:
            request.start_async({0: views})
        for request in requests:
            request.wait()
        return requests[0].get_output_tensor(0).data
    return run, len(views) * len(requests)


def work(args):
    """One way in this process: prints its logits and milliseconds per view as JSON."""
    views = read_safetensors(args.input)[0]['input'].numpy()
    began = time.perf_counter()
    runtime, *hint = args.way.split()
    run, count = (openvino_way if hint else onnxruntime_way)(args, views, *hint)
    logits, prepared = run().tolist(), time.perf_counter() - began
    run()
    wall, cpu = [], []
    for _ in range(args.repetitions):
        start = time.perf_counter(), time.process_time()
        run()
        wall.append((time.perf_counter() - start[0]) * 1e3 / count)
        cpu.append((time.process_time() - start[1]) * 1e3 / count)
    print(json.dumps({'logits': logits, 'ms_per_view': wall, 'cpu_ms_per_view': cpu, 'views': count,
                      'first_result_seconds': prepared}))


# ---------------------------------------------------------------- turns

def run_way(args, way):
    command = [sys.executable, os.path.abspath(__file__), '--way', way, '--network', args.network, '--input', args.input,
               '--model', args.model, '--precision', args.precision, '--threads', str(args.threads),
               '--repetitions', str(args.repetitions)]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True,
                            env=dict(os.environ, OMP_NUM_THREADS=str(args.threads))).stdout
    return json.loads(output.splitlines()[-1])


def run_tpn_bench(args, frames):
    command = [os.path.join(args.programs, 'tpn_bench'), '--model', args.model, '--precision', args.precision, '--threads',
               str(args.threads), '--batch', str(args.batch), '--frames', str(frames), '--size', str(args.size), '--runs',
               str(args.repetitions), '--no-verify', '--peak-seconds', '0', '--json', '-']
    timing = json.loads(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)['timings'][0]
    return {'ms_per_view': [1e3 * seconds / args.batch for seconds in timing['all_seconds']], 'views': args.batch}


def logits_of_tpn(args, folder):
    output = os.path.join(folder, 'logits.safetensors')
    subprocess.run([os.path.join(args.programs, 'tpn_infer'), '--model', args.model, '--precision', args.precision,
                    '--tensor', args.input, '--save-tensors', output], stdout=subprocess.DEVNULL, check=True)
    return read_safetensors(output)[0]['logits']


def export(args, folder):
    """Writes network.onnx and input.safetensors; returns PyTorch's logits (N, K) and the frames of a view."""
    import torch
    torch.set_num_threads(args.threads)
    state, metadata = read_safetensors(args.model)
    config = json.loads(metadata['tpn.config'])
    model = config['model']
    network = Network(state, model, 'contiguous', False).eval()
    frames = model['backbone'].get('num_segments', 8) if model['backbone']['dims'] == 2 else config['sampling']['clip_len']
    views = torch.randn(args.batch, 3, frames, args.size, args.size, generator=torch.Generator().manual_seed(1))
    args.network, args.input = os.path.join(folder, 'network.onnx'), os.path.join(folder, 'input.safetensors')
    write_safetensors(args.input, 'input', views)
    with torch.no_grad():
        torch.onnx.export(network, (views,), args.network, dynamo=False, opset_version=17, input_names=['views'],
                          output_names=['logits'])
        return network(views), frames


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--programs', help='folder with tpn_bench and tpn_infer')
    parser.add_argument('--model', required=True, help='model file (safetensors with tpn.config)')
    parser.add_argument('--precision', choices=tuple(WAYS), default='f32')
    parser.add_argument('--threads', type=int, default=os.cpu_count())
    parser.add_argument('--batch', type=int, default=1, help='views in one run')
    parser.add_argument('--size', type=int, default=256, help='height and width of a view')
    parser.add_argument('--repetitions', type=int, default=5, help='timed runs of each process')
    parser.add_argument('--rounds', type=int, default=5, help='turns of all programs')
    parser.add_argument('--json', help='write the results here')
    for name in ('--way', '--network', '--input'):  # of the processes that this one starts
        parser.add_argument(name, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.way and not args.programs:
        parser.error('--programs is required')
    return args


def main():
    args = arguments()
    if args.way:
        return work(args)
    import torch
    with tempfile.TemporaryDirectory() as folder:
        expected, frames = export(args, folder)
        errors = {'tpn': relative_error(logits_of_tpn(args, folder), expected)}
        results = {way: [] for way in ('tpn', *WAYS[args.precision])}
        for _ in range(args.rounds):
            for way, rounds in results.items():
                rounds.append(run_tpn_bench(args, frames) if way == 'tpn' else run_way(args, way))
                if 'logits' in rounds[-1]:
                    errors[way] = relative_error(torch.tensor(rounds[-1].pop('logits')), expected)
    print(f'{args.precision}, {args.threads} threads, {args.batch} views of {frames}x{args.size}x{args.size}, '
          f'{args.rounds} rounds')
    print('ms per view: median, min; of tpn\'s: median of the rounds\' ratios, ratio of minima; error of the logits; way')
    medians = {way: [statistics.median(r['ms_per_view']) for r in rounds] for way, rounds in results.items()}
    minima = {way: min(min(r['ms_per_view']) for r in rounds) for way, rounds in results.items()}
    for way, values in medians.items():
        ratio = statistics.median(value / ours for value, ours in zip(values, medians['tpn']))
        wrong = '' if errors[way] <= TOLERANCE[args.precision] else '  WRONG'
        print(f'{statistics.median(values):10.1f}{minima[way]:10.1f}{ratio:8.2f}{minima[way] / minima["tpn"]:8.2f}'
              f'{errors[way]:10.1e}  {way}{wrong}')
    if args.json:
        with open(args.json, 'w') as file:
            json.dump({'precision': args.precision, 'threads': args.threads, 'batch': args.batch, 'errors': errors,
                       'rounds': results}, file, indent=1)
            file.write('\n')
    return 0 if all(error <= TOLERANCE[args.precision] for error in errors.values()) else 1


if __name__ == '__main__':
    sys.exit(main())
