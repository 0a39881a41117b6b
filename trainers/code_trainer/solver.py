"""One task from issue to answer with what is known: localise, then search or propose."""

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox import Sandbox
from trainers.code_trainer.edits.ranking import Ranking
from trainers.code_trainer.edits.search import Budget
from trainers.code_trainer.encoder import CodeEncoder
from trainers.code_trainer.generation import changed_texts, context_of
from trainers.code_trainer.knowledge import Knowledge
from trainers.code_trainer.localisation import Localisation
from trainers.code_trainer.program_repair import (
    Bias,
    ProgramRepairer,
    Repair,
    is_program,
    learned_order,
    untrained_order,
)
from trainers.code_trainer.quoted_proposals import QUOTED_FILES, quoted_proposals
from trainers.code_trainer.repository_repair import Proposal, joined, places, propose
from trainers.code_trainer.results import Solution
from trainers.config import CodeConfig
from trainers.tasks.swe.types import SWETask, Tree

LOOKED_INTO = 3
"""Files whose functions are looked into."""

PROPOSED_PATTERNS = 120
"""Where no test says which candidate is right, only the commonest patterns are worth proposing."""

SECOND_EDITS = 0.3
"""Of a program's candidates, those that may have a second edit."""


class Solver:
    """Solves tasks; it learns nothing. The truth of a task is not looked at.

    Args:
        knowledge: what was learned, or nothing.
        sandbox: where programs run.
        config: budgets, and which parts have a say.
        seed: of the untrained order.
    """

    def __init__(
        self, knowledge: Knowledge, sandbox: Sandbox, config: CodeConfig, *, seed: int
    ) -> None:
        self._knowledge, self._config = knowledge, config
        container = knowledge.container
        self._bias = Bias(
            knowledge.library,
            container.observer if config.circuits else None,
            container.constraints if config.constraints else None,
        )
        self._ranking = Ranking(knowledge.library, knowledge.priors, reweigh=self._bias)
        self._encoder = CodeEncoder(container.codebook)
        order = (
            learned_order(self._ranking, knowledge.second_look)
            if knowledge.trained
            else untrained_order(knowledge.library, seed)
        )
        budget = Budget(
            candidates=config.candidates,
            seconds=config.seconds,
            pairs=round(SECOND_EDITS * config.candidates),
        )
        self._repairer = ProgramRepairer(sandbox, budget, order)

    def solve(self, task: SWETask) -> Solution:
        """Answer a task.

        Raises:
            TaskError: its tree cannot be read.
        """
        return self.attempt(task)[0]

    def attempt(self, task: SWETask) -> tuple[Solution, Repair | None]:
        """Answer a task; of a program that tests judge also how its repair went."""
        started = time.monotonic()
        if is_program(task):
            repair = self._repairer.repair(task)
            patches = () if repair.text is None else ({repair.path: repair.text},)
            return Solution(
                task.task_id,
                files=tuple(task.code_before),
                patches=patches,
                outcome=repair.outcome,
                candidates=repair.result.candidates_tried,
                seconds=time.monotonic() - started,
                evidence=repair.evidence,
            ), repair
        found = self._knowledge.localise(task)
        proposals = self._proposals(task, found)
        return Solution(
            task.task_id,
            files=tuple(path for path, _ in found.files),
            functions={
                path: tuple(name for name, _ in named) for path, named in found.functions.items()
            },
            operation=max(found.operations, key=lambda name: found.operations[name], default=None),
            patches=tuple({one.path: one.text} for one in proposals),
            outcome="unjudged" if proposals else "unrepaired",
            confidence=self._confidence(found),
            seconds=time.monotonic() - started,
            evidence=self._evidence(found, proposals),
        ), None

    def _confidence(self, found: Localisation) -> float | None:
        """What the learned localiser says of its first file; BM25 gives no probability."""
        if self._knowledge.localiser is None or not found.files:
            return None
        return found.files[0][1]

    def _proposals(self, task: SWETask, found: Localisation) -> list[Proposal]:
        if task.tree is None:
            return []
        files, issue, most = found.files[:LOOKED_INTO], task.issue_text, self._config.patches
        looked = found.files[:QUOTED_FILES]
        quoted = quoted_proposals(
            _texts(task.tree, {path for path, _ in looked}), looked, found.functions, issue, most
        )
        where = places(files, found.functions)
        texts = _texts(task.tree, {place.path for place in where})
        by_pattern: list[Proposal] = []
        library = self._knowledge.past(task.base_date)
        if library.patterns:
            common = library.pruned(least=1, most=PROPOSED_PATTERNS)
            ranking = Ranking(common, self._knowledge.priors, reweigh=self._bias)
            by_pattern = propose(ranking, texts, where, issue, most=most)
        return joined(quoted, by_pattern, self._generated(task, files, found, texts), most)

    def _generated(
        self,
        task: SWETask,
        files: Sequence[tuple[str, float]],
        found: Localisation,
        texts: Mapping[str, str],
    ) -> list[Proposal]:
        generator = self._knowledge.generator
        if generator is None or not texts:
            return []
        context = context_of(task.issue_text, texts, found.functions, files, task.base_date)
        issue = self._encoder.encode_issue(task.issue_text)
        proposals = []
        for result in generator.generate(issue, context, self._config.patches):
            for path, text in (changed_texts(texts, result) or {}).items():
                patch = result.patches[0]
                proposals.append(
                    Proposal(
                        path,
                        text,
                        math.log(max(result.confidence, 1e-12)),
                        patch.operation,
                        {"generated": result.evidence, "function": patch.location},
                    )
                )
        return proposals

    def _evidence(self, found: Localisation, proposals: list[Proposal]) -> Mapping[str, Any]:
        return {
            "localisation": found.evidence,
            "proposals": [
                {
                    "path": one.path,
                    "score": one.score,
                    **one.evidence,
                    "against": self._bias.reasons(
                        str(one.evidence["context"]), str(one.evidence["pattern"])
                    )
                    if "pattern" in one.evidence
                    else "nothing",
                }
                for one in proposals
            ],
        }


def _texts(tree: Tree, paths: set[str]) -> dict[str, str]:
    return {path: tree.text(path) for path in sorted(paths)}
