from pathlib import Path

import pytest
import torch

from flagbench.errors import ConfigError
from flagbench.learning.backbone import load_backbone
from flagbench.learning.random_backbone import make_random_backbone, make_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path: Path = tmp_path_factory.mktemp("backbone")
    model, tokenizer = make_random_backbone(seed=3, layers=1, width=16)
    model.save_pretrained(path)
    tokenizer.save_pretrained(path)
    return path


def test_a_folder_is_read_back_in_float32(folder: Path) -> None:
    backbone = load_backbone(str(folder), seed=0)
    original, _ = make_random_backbone(seed=3, layers=1, width=16)
    assert backbone.max_tokens == 1024
    assert not backbone.model.training
    for ours, theirs in zip(backbone.model.parameters(), original.parameters(), strict=True):
        assert ours.dtype == torch.float32
        assert torch.equal(ours, theirs)


def test_random_weights_of_a_folders_shape_come_from_the_seed(folder: Path) -> None:
    name = f"random:{folder}"
    first, again, other = (load_backbone(name, seed=seed).model for seed in (1, 1, 2))
    weights = [next(model.parameters()) for model in (first, again, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is no model folder: it has no config") as caught:
        load_backbone(str(tmp_path), seed=0)
    assert "save_pretrained" in caught.value.hint


def test_a_folder_without_weights_offers_random_ones(folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    with pytest.raises(ConfigError, match="cannot be loaded") as caught:
        load_backbone(str(tmp_path), seed=0)
    assert f"--backbone random:{tmp_path}" in caught.value.hint
    assert load_backbone(f"random:{tmp_path}", seed=0).max_tokens == 1024


def test_a_broken_configuration_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_backbone(str(tmp_path), seed=0)


def test_weights_in_pickles_are_refused(folder: Path, tmp_path: Path) -> None:
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    model, _ = make_random_backbone(seed=3, layers=1, width=16)
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    with pytest.raises(ConfigError, match="cannot be loaded"):
        load_backbone(str(tmp_path), seed=0)


def test_the_random_backbones_tokenizer_can_write_any_text() -> None:
    tokenizer = make_tokenizer()
    text = "closes: 99.5 100.0\nÜmläut 漢字 🙂"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_the_random_backbones_tokenizer_is_the_same_every_time() -> None:
    assert make_tokenizer().get_vocab() == make_tokenizer().get_vocab()
