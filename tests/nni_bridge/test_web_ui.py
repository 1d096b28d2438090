"""NNI's web UI in a browser, with a real experiment that a bare `nnictl create` or one of our commands starts."""

import time
from pathlib import Path

import onnx
import pytest
import requests
from browser import CHROMIUM, Page, browser

from nni_emodarts.models.architecture import Architecture
from nni_emodarts.models.flat_space import flat_sample
from nni_emodarts.nni_bridge.experiment import started, wait
from nni_emodarts.nni_bridge.experiment_file import Asked, experiment_yaml
from nni_emodarts.nni_bridge.manager import Manager

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed: apt-get install chromium")


def _has_internet() -> bool:
    import socket

    try:
        socket.getaddrinfo("netron.app", 443)
    except OSError:
        return False
    return True


def _show_columns(page: Page, *labels: str) -> None:
    columns = [f"{label} (metric)" for label in labels]
    page.click("button", "Add/Remove columns")
    for column in columns:
        page.click(".ms-Checkbox label", column)
        page.wait(_shows(".ms-Checkbox.is-checked", column))
    page.click("button", "Save")
    for column in columns:
        page.wait(_shows("[role=columnheader]", column))


def _shows(selector: str, text: str) -> str:
    return f"[...document.querySelectorAll({selector!r})].some(e => e.innerText.includes({text!r}))"


@pytest.mark.slow
def test_a_trial_s_page(small_manifest: Path, home: Path, fast_words: list[str], tmp_path: Path) -> None:
    """Its choices, its curve while it runs, the tab of its graph, and the drawing that needs no internet."""
    words = ["--manifest", str(small_manifest), "--preset", "tiny", "--protocol", "kfold:3", *fast_words]
    file = home / "experiment.yml"
    file.write_text(experiment_yaml("test", words, [0], [1], concurrency=1))
    with started(file) as manager, browser(tmp_path / "profile", 1500, 1000) as page:
        root = f"http://localhost:{manager.port}"
        _wait_for_a_figure(root)
        page.open(f"{root}/detail")
        page.click("button[role=tab]", "Intermediate result")
        page.wait("document.body.innerText.includes('(LATEST)') || document.body.innerText.includes('(FINAL)')")
        assert page.wait("document.querySelector('.echarts-for-react canvas').width") > 100
        trial = wait(manager, Asked(1), lambda trials: None)[0]
        assert trial.status == "SUCCEEDED", (trial.folder / "trial.log").read_text()
        page.open(f"{root}/detail?again")
        page.wait("document.body && document.body.innerText.includes('SUCCEEDED')")
        choices = flat_sample(Architecture.load(trial.folder / "architecture.json"))
        label, choice = next(item for item in choices.items() if item[0].startswith("normal_2_"))
        _show_columns(page, label, "test_uar")
        page.wait(f"document.body.innerText.includes({choice!r})")
        page.click("[data-automation-key=_expand] i")
        page.click("button[role=tab]", "Visualization")
        page.wait("document.body.innerText.includes('3rd-party tools')")
        assert page.picture(tmp_path / "trial.png").stat().st_size > 10_000
        graph = requests.get(f"{root}/api/v1/nni/trial-file/{trial.id}/model.onnx", timeout=10).content
        onnx.checker.check_model(onnx.load_from_string(graph))
        if not _has_internet():
            _click_netron(page)
            assert Manager(manager.port).status() != "ERROR"
        page.open(f"{root}/logs/{trial.id}.svg")
        assert page.wait("document.documentElement && document.documentElement.tagName") == "svg"
        assert page.run("document.querySelectorAll('svg > g').length") == 4
        drawing = (trial.folder / "architecture.svg").read_bytes()
        assert requests.get(f"{root}/api/v1/nni/trial-file/{trial.id}/architecture.svg", timeout=10).content == drawing


def _wait_for_a_figure(root: str) -> None:
    end = time.monotonic() + 300
    while not requests.get(f"{root}/api/v1/nni/metric-data", timeout=10).json():
        assert time.monotonic() < end, "the trial reports nothing"
        time.sleep(1)


def _click_netron(page: Page) -> None:
    """The page that the click opens, in this tab."""
    page.run("window.open = url => { location.href = url }")
    page.click("button", "Netron")
    page.wait("document.body && document.body.innerText.includes('Netron cannot be reached')")
    page.click("a", "The drawing of this trial's network")
    page.wait("location.pathname.endsWith('.svg')")


@pytest.mark.slow
def test_a_local_netron_needs_no_internet(tmp_path: Path) -> None:
    pytest.importorskip("netron", reason="the extra netron is not installed")
    from nni_emodarts.config import load_config
    from nni_emodarts.models.space import build_model, random_architecture
    from nni_emodarts.report.live.viewer import served
    from nni_emodarts.training.graph import onnx_graph

    architecture = random_architecture(load_config("tiny").space, 4, (1, 40), 0)
    (tmp_path / "model.onnx").write_bytes(onnx_graph(build_model(architecture), (1, 40)))
    with served(tmp_path / "model.onnx") as address, browser(tmp_path / "profile") as page:
        page.open(address)
        page.wait("document.querySelectorAll('svg g.node').length > 20")
        page.wait("document.body.className === 'default'")  # the spinner is gone
        assert "Conv" in page.run("document.querySelector('svg g.nodes').textContent")
        page.picture(tmp_path / "netron.png")
