"""The server, the folders and the mirrors of the fault tests."""

import pytest

from labutils import data
from labutils.data import transfer
from tests import toy_data
from tests.faults.server import real_mnist, serve


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirror")
    toy_data.build(folder)
    return folder


@pytest.fixture(scope="module")
def server(files):
    with serve(files) as server:
        yield server


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A data folder of its own, no other in sight, and short waits."""
    folder = tmp_path / "data"
    monkeypatch.setenv("LABUTILS_DATA", "auto")
    monkeypatch.delenv("LABUTILS_MIRRORS", raising=False)
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(data, "_folders", lambda: [folder])
    monkeypatch.setattr(transfer, "SLOW_SECONDS", 1)
    toy_data.install_sample(patch=monkeypatch.setattr)
    return folder


@pytest.fixture(scope="module")
def mnist_files():
    """The folder of the real MNIST files."""
    folder = real_mnist()
    if folder is None:
        pytest.skip("the real MNIST files are not here (LABUTILS_DATA_DIR names their folder)")
    return folder


@pytest.fixture
def mirrors(files, store, monkeypatch):
    """Call it with URLs or folders: these are the datasets' mirrors then."""
    return lambda *urls: toy_data.install(files, urls, monkeypatch.setattr)
