"""The tiny feature model, made once a session; one thread, since what is tested is tiny."""

from pathlib import Path

import pytest
import torch
from tiny_bert import save_tiny_bert
from tiny_model import save_tiny_model

from trainers.critic.features import HiddenStates


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def tiny_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_model(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def tiny_bert_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny_bert(tmp_path_factory.mktemp("bert"))


@pytest.fixture
def tiny(tiny_folder: Path) -> HiddenStates:
    return HiddenStates(tiny_folder, "tiny", programs_a_pass=16, dtype=torch.float32)
