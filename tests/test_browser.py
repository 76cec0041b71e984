"""The widgets in a real JupyterLab and a real browser, touched by mouse and by key. `make check` leaves it out."""

import dataclasses
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import nbformat
import pytest
from browser import CHROMIUM, Lab, Notebook, lab, new_page
from measure_play import untrained_laptop
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import expect, sync_playwright

from nanogpt.checkpoint import checkpoint_step, checkpoints
from nanogpt.config import PRESETS
from nanogpt.course.notebooks import KEPT_METADATA
from nanogpt.course.widgets.pages import GONE
from nanogpt.runs import read_metrics, start_run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium: apt-get install chromium"),
]
ROOT = Path(__file__).parents[1]
HOSTILE = "<img src=x onerror=alert(1)> <b>The</b> "
OTHERS = (  # a cell each in others.ipynb: module, function, further arguments after the run
    ("lens", "next_token_lens", ", 'The '"),
    ("tokens", "token_explorer", ""),
    ("attention", "attention_viewer", ""),
)


@pytest.fixture(scope="module")
def server(tmp_path_factory, story_run, story_data) -> Iterator[Lab]:
    """`nanogpt play` on two runs: one trained in seconds, and one that is large enough to be stopped in its midst."""
    course = tmp_path_factory.mktemp("course")
    (course / "notebooks").mkdir()
    shutil.copy(ROOT / "notebooks" / "playground.ipynb", course / "notebooks")
    sources = [
        f"from nanogpt.course.widgets.{module} import {function}\n\n{function}('../runs/first'{more})"
        for module, function, more in OTHERS
    ]
    monitor = "from nanogpt.course.widgets.monitor import training_monitor\n\ntraining_monitor('../runs/endless')"
    for name, cells in {"others": sources, "monitor": [monitor]}.items():
        written = new_notebook(cells=list(map(new_code_cell, cells)), metadata=KEPT_METADATA)
        nbformat.write(written, course / "notebooks" / f"{name}.ipynb")
    shutil.copytree(story_run.folder, course / "runs" / "first")
    slow = untrained_laptop(tmp_path_factory.mktemp("slow"), n_layer=8, n_head=6, n_embd=384)
    shutil.copytree(slow, course / "runs" / "second")
    train = dataclasses.replace(PRESETS["smoke"].train, n_steps=10**6, checkpoint_every=10**6)
    endless = dataclasses.replace(PRESETS["smoke"], train=train)
    start_run(course / "runs" / "endless", endless, story_data.folder, "smoke")
    with lab(course, "runs/first", "runs/second") as server:
        yield server


@pytest.fixture(scope="module")
def page(server):
    with sync_playwright() as playwright:
        yield new_page(playwright)


@contextmanager
def running(page, server: Lab, name: str) -> Iterator[Notebook]:
    """A notebook, opened and run; its kernel ends with it."""
    notebook = Notebook(page, server.address, name)
    notebook.run_all()
    yield notebook
    notebook.end_kernel()
    assert notebook.faults == []


@pytest.fixture
def ground(page, server):
    """The playground's notebook, anew for each test."""
    with running(page, server, "playground.ipynb") as notebook:
        yield notebook


@pytest.fixture(scope="module")
def others(page, server):
    """One notebook for the widgets of OTHERS."""
    with running(page, server, "others.ipynb") as notebook:
        yield notebook


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Path:
    """Where the pictures are kept for whoever wants to look: pytest names the folder."""
    folder = Path(os.environ.get("NANOGPT_SCREENSHOTS") or tmp_path_factory.mktemp("screenshots"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def no_grave_faults(notebook: Notebook, pictures: Path, name: str) -> None:
    """Look at the widget as it stands in the light and in the dark theme, and keep a picture of each."""
    for theme in ("Light", "Dark"):
        notebook.theme(f"JupyterLab {theme}")
        notebook.here.screenshot(path=pictures / f"{name}-{theme.lower()}.png")
        assert notebook.grave_faults() == []
    notebook.theme("JupyterLab Light")


def text(notebook: Notebook, nth: int = 0) -> str:
    return notebook.here.locator(".nanogpt-text").nth(nth).inner_text()


def write_for_long(notebook: Notebook) -> None:
    """Begin a text of 1,000 tokens, at temperature 0, where this model never ends it."""
    notebook.box("Model").select_option("second")
    for label, value in (("Length", "1000"), ("Temperature", "0")):
        notebook.box(label).fill(value)
        notebook.box(label).press("Tab")
    notebook.press("Generate")
    notebook.status("writing")
    expect(notebook.here.locator(".nanogpt-text").first).to_contain_text("The ")


def test_the_playground_by_mouse_and_by_key(ground, pictures):
    # type a prompt
    ground.box("Prompt").fill("Once upon a time")
    # a slider by key, one by mouse, a number typed
    ground.handle("Temperature").focus()
    for _ in range(4):
        ground.page.keyboard.press("ArrowLeft")
    expect(ground.box("Temperature")).to_have_value("0.6")
    track = ground.handle("Top-k").locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
    handle = ground.handle("Top-k").bounding_box()
    ground.page.mouse.move(handle["x"] + handle["width"] / 2, handle["y"] + handle["height"] / 2)
    ground.page.mouse.down()
    ground.page.mouse.move(track["x"] + track["width"] / 2, track["y"], steps=5)
    ground.page.mouse.up()
    expect(ground.box("Top-k")).to_have_value(re.compile(r"^(9\d|10\d)$"))
    ground.box("Length").fill("40")
    ground.box("Length").press("Tab")
    # generate: the text stands there, the prompt before it
    ground.press("Generate")
    ground.status("tokens/s")
    first = text(ground)
    assert first.startswith("Once upon a time")
    # the same by key: Space on the button, the same seed, the same text
    ground.here.get_by_role("button", name="Generate", exact=True).focus()
    ground.old()
    ground.page.keyboard.press("Space")
    ground.status("tokens/s")
    assert text(ground) == first
    # look at a token by key, and part on a rival
    ground.box("Token").fill("5")
    ground.box("Token").press("ArrowUp")
    facts = ground.here.locator(".nanogpt-facts").first
    expect(facts).to_contain_text("token 6 of ")
    rival = ground.here.get_by_role("button", name=re.compile(r"%$")).first
    chosen = re.fullmatch(r"(.+) [\d.]+%", rival.inner_text())[1]
    ground.old()
    rival.click()
    ground.status("tokens/s")
    ground.box("Token").fill("6")
    ground.box("Token").press("Tab")
    expect(facts).to_contain_text("chosen by you")
    expect(facts).to_contain_text(chosen)
    # the history brings the first text back
    ground.box("History").select_option(index=1)
    expect(ground.here.locator(".nanogpt-text").first).to_have_text(first, use_inner_text=True)
    no_grave_faults(ground, pictures, "playground")


def test_stop_in_the_midst_and_two_models_side_by_side(ground, pictures):
    write_for_long(ground)
    ground.press("Stop")
    ground.status("stopped: second:")
    ground.box("Model").select_option("first")
    ground.box("Beside it").select_option("second")
    ground.box("Length").fill("30")
    ground.box("Length").press("Tab")
    ground.press("Generate")
    said = ground.status("second:")
    assert re.search(r"first: \d+ tokens, .*; second: \d+ tokens", said), said
    assert ground.here.locator(".nanogpt-text").count() == 2
    assert text(ground, 0) != text(ground, 1)
    ground.press("Copy")
    # HTML stays text
    ground.box("Prompt").fill(HOSTILE)
    ground.press("Generate")
    ground.status("second:")
    assert text(ground, 0).startswith(HOSTILE)
    assert text(ground, 1).startswith(HOSTILE)
    no_grave_faults(ground, pictures, "two-models")


def test_after_a_reload_the_text_is_there_and_it_goes_on(ground):
    ground.press("Generate")
    ground.status("tokens/s")
    before = text(ground)
    ground.save()
    ground.open()
    expect(ground.here.locator(".nanogpt-text").first).to_have_text(before, use_inner_text=True)
    ground.press("Continue")
    ground.status("tokens/s")
    assert text(ground).startswith(before)


def test_a_page_that_was_saved_shows_what_was_there_before_anything_is_run(ground):
    ground.press("Generate")
    ground.status("tokens/s")
    before = text(ground)
    ground.save()
    ground.end_kernel()
    ground.open()
    expect(ground.here.locator(".nanogpt-text").first).to_have_text(before, use_inner_text=True)


def test_a_kernel_that_dies_while_writing_is_started_again(ground, server):
    write_for_long(ground)
    (kernel,) = server.kernels()
    kernel.kill()
    ground.page.get_by_role("dialog").get_by_role("button", name="Ok").click()
    ground.wait_for_kernel()
    assert kernel not in server.kernels()
    ground.run_all()
    ground.press("Generate")
    ground.status("first: ")


def test_a_training_whose_page_is_closed_ends_with_a_checkpoint(page, server):
    run = server.folder / "runs" / "endless"
    with running(page, server, "monitor.ipynb") as notebook:
        notebook.press("Start")
        notebook.status("training: ")
        assert checkpoints(run) == []
        assert page.evaluate("async () => (await (await fetch('/api/kernels')).json())[0].connections") == 1
        page.goto("about:blank")
        until = time.monotonic() + GONE + 30
        while not checkpoints(run) and time.monotonic() < until:
            time.sleep(0.2)
        steps = len(read_metrics(run))
        assert checkpoint_step(checkpoints(run)[-1]) == steps
        notebook.open()
        assert len(read_metrics(run)) == steps


def test_the_lens(others, pictures):
    others.look_at(0)
    others.status("token perplexity")
    others.handle("Temperature").focus()
    others.page.keyboard.press("ArrowRight")
    expect(others.box("Temperature")).to_have_value("0.85")
    others.box("Top-k").fill("3")
    others.box("Top-k").press("Tab")
    others.status("and 3 of ")
    expect(others.here.locator(".nanogpt-bars")).to_contain_text("✕ cut")
    others.old()
    others.box("Prompt").fill("<b>Once</b> upon")
    others.status("entropy")
    no_grave_faults(others, pictures, "lens")


def test_the_token_explorer(others, pictures):
    others.look_at(1)
    others.box("Text").fill("<b>é 1000</b>")
    others.status("13 characters")
    others.box("Token").fill("2")
    others.box("Token").press("Tab")
    expect(others.here.locator(".nanogpt-bricks").first.locator(".chosen")).to_have_count(1)
    assert others.here.locator(".nanogpt-bricks b").count() == 0
    no_grave_faults(others, pictures, "tokens")


def test_the_attention_viewer(others, pictures):
    others.look_at(2)
    others.box("Layer").press("ArrowUp")
    others.status("Layer 1, head 0")
    others.box("Text").fill("<b>The</b> dog saw the cat.")
    others.press("Read")
    others.status("tokens read in")
    others.here.locator(".nanogpt-tokens .tok").nth(3).hover()
    no_grave_faults(others, pictures, "attention")
