"""For tests and notebooks alike: the smoke tier, a workspace of their own, two threads, no network."""

import os
import tempfile

os.environ["NANOGPT_TIER"] = "smoke"
os.environ["NANOGPT_HOME"] = tempfile.mkdtemp(prefix="nanogpt-tests-")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("OMP_NUM_THREADS", "2")
