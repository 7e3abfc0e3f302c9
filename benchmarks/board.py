"""How long the board takes to build, and how large it is, for boards of generated submissions.

    python benchmarks/board.py 250 500 1000
    python benchmarks/board.py 40 --keep board      # leaves a board of 40 in ./board, to be looked at

Every figure is drawn: prices, positions, and intervals by the normal approximation. The intervals over all
assets, which take seconds an entry and are kept for good, are drawn too, and timed on a few entries alone.
Seconds are those of the processor, of one core, so that what else a machine does is left out.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.drawn_results import ASSETS
from benchmarks.drawn_submissions import draw_levels, make_board
from flagbench.board.entry import read_entry
from flagbench.board.joint import level_of
from flagbench.board.site import Board, build_board, write_board


def seconds_of_levels(folders: list[Path]) -> list[float]:
    """What one entry's interval over all assets takes."""
    taken = []
    for folder in folders:
        series = read_entry(folder).series
        begun = time.process_time()
        level_of(series, digest="", resamples=5000)
        taken.append(time.process_time() - begun)
    return taken


def measure(count: int, board: Path, *, assets: tuple[str, ...] = ASSETS) -> Board:
    """Make, build twice, and print."""
    begun = time.process_time()
    folders = make_board(board, count, assets=assets)
    draw_levels(board, folders)
    made = time.process_time() - begun
    begun = time.process_time()
    built = build_board(board)
    first = time.process_time() - begun
    write_board(built, board / "site")
    begun = time.process_time()
    again = build_board(board)
    second = time.process_time() - begun
    assert again.site == built.site
    begun = time.process_time()
    changed = write_board(again, board / "site")
    written = time.process_time() - begun
    size = sum(len(text.encode()) for text in built.site.values())
    print(
        f"{count:5d} submissions: made in {made:.1f} s; built in {first:.1f} s with the tests of all, in "
        f"{second:.1f} s without ({1000 * second / count:.1f} ms each); looked over in {written:.2f} s, "
        f"{len(changed)} changed; {size / 1e6:.1f} MB in {len(built.site)} files; track page "
        f"{len(built.site['replica.html'].encode()) / 1e6:.2f} MB"
    )
    return built


def main() -> None:
    """Print one line a size."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("counts", nargs="*", type=int, default=[250, 500, 1000], metavar="N")
    parser.add_argument("--keep", metavar="FOLDER", help="leave the last board there")
    parser.add_argument("--levels", type=int, default=0, metavar="N", help="time so many intervals")
    parser.add_argument("--assets", type=int, default=len(ASSETS), metavar="N", help="of the track (9)")
    arguments = parser.parse_args()
    for count in arguments.counts:
        with tempfile.TemporaryDirectory() as folder:
            board = Path(arguments.keep if arguments.keep and count == arguments.counts[-1] else folder)
            measure(count, board, assets=ASSETS[-arguments.assets :])
            if arguments.levels:
                folders = sorted((board / "submissions" / "replica").iterdir())[: arguments.levels]
                taken = ", ".join(f"{each:.1f}" for each in seconds_of_levels(folders))
                print(f"      an entry's interval over all assets: {taken} s")


if __name__ == "__main__":
    main()
