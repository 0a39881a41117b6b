"""Groups of file columns, so that an ablation can leave out a kind of evidence by name."""

from collections.abc import Iterable

from trainers.code_trainer.history import FILE_COLUMNS

HDC_FILES, HDC_CHUNKS = "hdc_files", "hdc_chunks"
EXACT_FILES, EXACT_CHUNKS = "exact_files", "exact_chunks"
TEXT_FILES, TEXT_CHUNKS = "text_files", "text_chunks"
STAGE = "chunk_ranker"
MEMORY, RECENCY, GRAPH, SYMBOLIC = "memory", "recency", "graph", "symbolic"

# What the first match says; the order matters.
_PREFIXES = (
    ("hdc_file", HDC_FILES), ("hdc_chunk", HDC_CHUNKS),
    ("exact_file", EXACT_FILES), ("exact_chunk", EXACT_CHUNKS),
    ("stage_", STAGE), ("fix_", MEMORY), ("recent", RECENCY),
    ("graph_", GRAPH), ("folder_", GRAPH),
    ("file_", TEXT_FILES), ("rank_file", TEXT_FILES), ("pair_file", TEXT_FILES),
    ("rare_", TEXT_FILES),
    ("chunks_", TEXT_CHUNKS), ("chunk_", TEXT_CHUNKS), ("rank_chunk", TEXT_CHUNKS),
    ("pair_chunk", TEXT_CHUNKS), ("base", TEXT_CHUNKS),
)  # fmt: skip

assert all(name.startswith("fix_") for name in FILE_COLUMNS)


def group(column: str) -> str:
    """The group of a file column; what no text score, graph or history tells is symbolic."""
    return next((name for prefix, name in _PREFIXES if column.startswith(prefix)), SYMBOLIC)


def kept(columns: Iterable[str], without: frozenset[str]) -> list[int]:
    """The places of the columns whose group is not left out."""
    return [place for place, column in enumerate(columns) if group(column) not in without]
