#!/usr/bin/env bash
# mmaction2_dump_test.sh WRITE_SAMPLE_DUMP TPN_EVAL: reads a pickle of scores with the real torch, as mmaction2's tools do, and
# lets tpn_eval read what torch and NumPy write in mmaction2's layouts; if $TPN_TORCH_PYTHON (default: python3) has torch.
set -euo pipefail
python=${TPN_TORCH_PYTHON:-python3}
"$python" -c 'import numpy, torch' 2>/dev/null || {
  echo "$python has no packages numpy and torch: pickles of scores are not read with them."
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" "$work"
"$python" - "$work" <<'END_OF_PYTHON'
import json
import pickle
import sys

import numpy as np
import torch

work = sys.argv[1] + '/'
lines = [json.loads(line) for line in open(work + 'scores.jsonl')][1:]
known = [line for line in lines if line['label'] >= 0]
with open(work + 'scores.pkl', 'rb') as file:
    samples = pickle.load(file)
assert len(samples) == len(known), len(samples)
for sample, line in zip(samples, known):
    assert sample['pred_score'].dtype == torch.float32 and sample['pred_score'].shape == (3,), sample
    assert sample['gt_label'].dtype == torch.int64 and sample['gt_label'].size(0) == 1, sample
    assert sample['gt_label'].item() == line['label'], sample
    assert sample['pred_label'].item() == sample['pred_score'].numpy().argmax(), sample
    assert sample['filename'] == line['path'], sample
    if 'scores' in line:
        expected = np.array(line['scores']).astype(np.float32)
        assert np.array_equal(sample['pred_score'].cpu().numpy(), expected), sample
    else:  # counts as wrong
        assert sample['pred_label'].item() != line['label'] and sample['error'], sample

array = np.load(work + 'scores.npy')
assert array.dtype == np.float32 and array.shape == (len(lines), 3), array
for row, line in zip(array, lines):
    assert np.array_equal(row, np.array(line['scores']).astype(np.float32)) if 'scores' in line else np.isnan(row).all()

scores = [np.array(line['scores'] if 'scores' in line else [0, 0, 0]).astype(np.float32) for line in lines]
for protocol in (2, 4, 5):
    with open(f'{work}arrays{protocol}.pkl', 'wb') as file:  # mmaction2 0.x
        pickle.dump(scores, file, protocol=protocol)
    with open(f'{work}tensors{protocol}.pkl', 'wb') as file:  # 1.x
        pickle.dump([{'gt_label': torch.tensor([line['label']]), 'pred_score': torch.from_numpy(score)}
                     for line, score in zip(lines, scores)], file, protocol=protocol)
print(len(samples), 'results were read')
END_OF_PYTHON
for file in "$work"/{arrays,tensors}{2,4,5}.pkl "$work"/scores.{pkl,npy}; do
  # Some entries of the sample failed, which is exit status 1.
  "$2" --merge "$work/scores.jsonl" --compare "$file" --format json >"$work/results" || [[ $? == 1 ]]
  grep -q '"agreement":1,.*"mean_difference":0,' "$work/results" || { cat "$work/results"; echo "$file: other scores"; exit 1; }
done
echo "tpn_eval read 8 files"
