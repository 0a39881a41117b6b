"""Security: statements in a safe and an unsafe form, put into sound functions.

Each template names bandit's test that tells the unsafe form, with bandit's own CWE number;
``verify`` runs bandit over both forms. The repair is the way from the unsafe form to the safe one.
"""

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random

from trainers.ctm.data.operators.function import Function, blocks_of
from trainers.errors import CTMDataError

_POOL = ("data", "value", "name", "path", "text", "payload", "request", "item", "args", "content")
_RESULTS = ("result", "out", "response", "parsed", "token", "digest", "config", "loaded", "found")


@dataclass(frozen=True)
class Template:
    """A statement in two forms. ``{a}`` and ``{b}`` are variables, ``{r}`` is bound by it."""

    name: str
    test: str
    cwe: int
    module: str
    safe: str
    unsafe: str


TEMPLATES: tuple[Template, ...] = tuple(
    Template(*fields)
    for fields in (
        ("shell_run", "B602", 78, "subprocess",
         "{r} = subprocess.run({a}, shell=False, check=True)",
         "{r} = subprocess.run({a}, shell=True, check=True)"),
        ("shell_popen", "B602", 78, "subprocess",
         "{r} = subprocess.Popen({a}, cwd={b})",
         "{r} = subprocess.Popen({a}, cwd={b}, shell=True)"),
        ("shell_system", "B605", 78, "os",
         "{r} = subprocess.run(shlex.split({a}))",
         "{r} = os.system({a})"),
        ("sql_format", "B608", 89, "sqlite3",
         "cursor.execute(\"SELECT * FROM users WHERE name = %s\", ({a},))",
         "cursor.execute(\"SELECT * FROM users WHERE name = %s\" % ({a},))"),
        ("sql_delete", "B608", 89, "sqlite3",
         "{r} = connection.execute(\"DELETE FROM items WHERE id = %s\", ({a}, {b}))",
         "{r} = connection.execute(\"DELETE FROM items WHERE id = %s\" % ({a}, {b}))"),
        ("yaml_load", "B506", 20, "yaml",
         "{r} = yaml.safe_load({a})", "{r} = yaml.load({a})"),
        ("yaml_loader", "B506", 20, "yaml",
         "{r} = yaml.load({a}, Loader=yaml.SafeLoader)",
         "{r} = yaml.load({a}, Loader=yaml.Loader)"),
        ("pickle_loads", "B301", 502, "pickle",
         "{r} = json.loads({a})", "{r} = pickle.loads({a})"),
        ("pickle_load", "B301", 502, "pickle",
         "{r} = json.load({a})", "{r} = pickle.load({a})"),
        ("eval", "B307", 78, "ast",
         "{r} = ast.literal_eval({a})", "{r} = eval({a})"),
        ("md5", "B324", 327, "hashlib",
         "{r} = hashlib.sha256({a}).hexdigest()", "{r} = hashlib.md5({a}).hexdigest()"),
        ("sha1", "B324", 327, "hashlib",
         "{r} = hashlib.sha256({a}).digest()", "{r} = hashlib.sha1({a}).digest()"),
        ("no_verify", "B501", 295, "requests",
         "{r} = requests.get({a}, verify=True, timeout=10)",
         "{r} = requests.get({a}, verify=False, timeout=10)"),
        ("no_timeout", "B113", 400, "requests",
         "{r} = requests.post({a}, json={b}, timeout=10)",
         "{r} = requests.post({a}, json={b})"),
        ("random_choice", "B311", 330, "random",
         "{r} = secrets.choice({a})", "{r} = random.choice({a})"),
        ("system_random", "B311", 330, "random",
         "{r} = random.SystemRandom().randint(0, {a})", "{r} = random.randint(0, {a})"),
        ("mktemp", "B306", 377, "tempfile",
         "{r} = tempfile.mkstemp({a})", "{r} = tempfile.mktemp({a})"),
        ("chmod", "B103", 732, "os",
         "os.chmod({a}, 0o600)", "os.chmod({a}, 0o777)"),
        ("tar_members", "B202", 22, "tarfile",
         "tarfile.open({a}).extractall({b}, filter=\"data\")",
         "tarfile.open({a}).extractall({b})"),
        ("flask_debug", "B201", 94, "flask",
         "app.run(host={a}, debug=False)", "app.run(host={a}, debug=True)"),
        ("bind_all", "B104", 605, "socket",
         "{r} = server.bind((\"127.0.0.1\", {a}))", "{r} = server.bind((\"0.0.0.0\", {a}))"),
        ("password", "B105", 259, "getpass",
         "password = getpass.getpass()", "password = \"secret\""),
        ("xml_parse", "B314", 20, "xml.etree.ElementTree",
         "{r} = defusedxml.ElementTree.parse({a})", "{r} = xml.etree.ElementTree.parse({a})"),
        ("xml_string", "B314", 20, "xml.etree.ElementTree",
         "{r} = defusedxml.ElementTree.fromstring({a})",
         "{r} = xml.etree.ElementTree.fromstring({a})"),
        ("autoescape", "B701", 94, "jinja2",
         "{r} = jinja2.Environment(loader={a}, autoescape=True)",
         "{r} = jinja2.Environment(loader={a}, autoescape=False)"),
        ("no_autoescape", "B701", 94, "jinja2",
         "{r} = jinja2.Environment(autoescape=True, loader={a})",
         "{r} = jinja2.Environment(loader={a})"),
        ("tls", "B323", 295, "ssl",
         "{r} = ssl.create_default_context()", "{r} = ssl._create_unverified_context()"),
    )
)  # fmt: skip


def inserted(function: Function, template: Template, rng: Random) -> tuple[str, str] | None:
    """A function with a template's statement: its unsafe text, its safe text; None without a place.

    The variables are the function's own where it has some.
    """
    places = [s for n in function.nodes for block in blocks_of(n) for s in block if s.col_offset]
    if not places:
        return None
    place = rng.choice(places)
    own = sorted(set(function.bound) - {"self", "cls"})
    names = own if len(own) > 1 else [*own, *_POOL]
    one, two = rng.sample(names, 2)
    result = rng.choice([name for name in _RESULTS if name not in own] or list(_RESULTS))
    start = function.text.start(place)
    texts = (
        form.format(a=one, b=two, r=result) + "\n" + " " * place.col_offset
        for form in (template.unsafe, template.safe)
    )
    unsafe, safe = (function.changed(((start, start, text),)) for text in texts)
    return unsafe, safe


def verify(templates: Sequence[Template] = TEMPLATES) -> list[str]:
    """Run bandit over both forms of templates.

    Returns:
        The names of those whose unsafe form bandit does not find, or whose safe form it does.

    Raises:
        CTMDataError: bandit does not run.
    """
    with tempfile.TemporaryDirectory() as folder:
        for template in templates:
            for form, text in (("safe", template.safe), ("unsafe", template.unsafe)):
                body = text.format(a="one", b="two", r="result")
                code = f"import {template.module}\n\n\ndef run(one, two):\n    {body}\n"
                Path(folder, f"{template.name}-{form}.py").write_text(code, "utf-8")
        found = _bandit(Path(folder))
    wrong = []
    for template in templates:
        unsafe = (f"{template.name}-unsafe", template.test, template.cwe) in found
        safe = any(
            name == f"{template.name}-safe" and test == template.test for name, test, _ in found
        )
        if safe or not unsafe:
            wrong.append(template.name)
    return wrong


def _bandit(folder: Path) -> set[tuple[str, str, int]]:
    """The findings in a folder: file, test and CWE number."""
    command = [sys.executable, "-m", "bandit", "-q", "-r", str(folder), "-f", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        results = json.loads(done.stdout)["results"]
    except (ValueError, KeyError) as error:
        said = done.stderr.strip().splitlines()[-1:] or ["it said nothing"]
        raise CTMDataError(f"bandit does not run ({said[0]}); install bandit") from error
    return {
        (Path(one["filename"]).stem, one["test_id"], one["issue_cwe"].get("id", 0))
        for one in results
    }
