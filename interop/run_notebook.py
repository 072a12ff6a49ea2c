"""Runs the notebook without hands and prints what it shows as JSON. Runs in the notebook's own Python.

    run_notebook.py marimo     notebooks/fediverse.py
    run_notebook.py jupyter    notebooks/fediverse.ipynb

The table and the filter come from the variables NOTEBOOK_*. `frames` has the rows behind each figure, by the name of the report;
`titles` the notebook's titles; `drawn` the titles over the figures, in order.
"""

import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
NOTEBOOKS = HERE.parent / "notebooks"
# Frames that are shown beside that of a report.
BESIDE = ("largest",)


def by_marimo():
    sys.path.insert(0, str(NOTEBOOKS))
    import fediverse

    outputs, names = fediverse.app.run()
    said = [output.text for output in outputs if isinstance(getattr(output, "text", None), str)]
    return shown(names, [output for output in outputs if type(output).__name__ == "Figure"]) | {"said": said}


def by_jupyter():
    import nbformat
    from nbclient import NotebookClient

    notebook = nbformat.read(NOTEBOOKS / "fediverse.ipynb", as_version=4)
    ask = f"import sys\nsys.path.insert(0, {str(HERE)!r})\nimport json, run_notebook\nprint(json.dumps(run_notebook.shown(globals(), [])))"
    notebook.cells.append(nbformat.v4.new_code_cell(ask))
    NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    *cells, last = notebook.cells
    pictures = sum("image/png" in output.get("data", {}) for cell in cells for output in cell.get("outputs", []))
    return json.loads(last.outputs[0]["text"]) | {"pictures": pictures}


def shown(names, figures):
    titles = names["TITLES"]
    return {
        "frames": {name: rows(names[name]) for name in [*titles, *BESIDE] if name in names},
        "titles": titles,
        "drawn": [figure.texts[0].get_text() for figure in figures],
        "pictures": len(figures),
    }


def rows(frame):
    return [{name: plain(value) for name, value in row.items()} for row in frame.to_dict("records")]


def plain(value):
    """A cell as `fedilake report` writes it in JSON."""
    import pandas as pd

    if pd.isna(value):
        return None
    if isinstance(value, pd.Timestamp):
        return str(value.date()) if value.tz is None else value.isoformat()
    return value.item() if hasattr(value, "item") else value


if __name__ == "__main__":
    print(json.dumps({"marimo": by_marimo, "jupyter": by_jupyter}[sys.argv[1]]()))
