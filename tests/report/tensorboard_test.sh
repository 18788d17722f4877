#!/usr/bin/env bash
# tensorboard_test.sh WRITE_SAMPLE_EVENTS: reads event files with the real tensorboard package, if $TPN_TENSORBOARD_PYTHON
# (default: python3) has it: pip install tensorboard.
set -euo pipefail
python=${TPN_TENSORBOARD_PYTHON:-python3}
"$python" -c 'import tensorboard' 2>/dev/null || {
  echo "$python has no package tensorboard: event files are not read with it."
  exit 77
}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
"$1" "$work"
"$python" - "$work" <<'END'
import sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

accumulator = EventAccumulator(sys.argv[1], size_guidance={'scalars': 0})
accumulator.Reload()
assert sorted(accumulator.Tags()['scalars']) == ['train/learning_rate', 'train/loss'], accumulator.Tags()
losses = accumulator.Scalars('train/loss')
assert [event.step for event in losses] == list(range(100)), [event.step for event in losses]
for event in losses:  # from step 50 on those of the resumed run
    expected = (event.step >= 50) + 1 / (event.step + 1)
    assert abs(event.value - expected) < 1e-6, event
assert accumulator.file_version == 2.0, accumulator.file_version
print('100 steps were read')
END
