import subprocess
import sys

import flagbench


def test_every_public_name_can_be_had_and_there_are_few() -> None:
    assert len(flagbench.__all__) <= 15
    for name in flagbench.__all__:
        assert getattr(flagbench, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(flagbench, "torch")


def test_importing_flagbench_loads_nothing_heavy() -> None:
    code = "import sys, flagbench; print({'torch', 'numpy', 'pandas', 'yaml'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
