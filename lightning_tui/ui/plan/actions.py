"""What changes the plan, on the screen: its windows, what is recommended, saved, measured and written out."""

from __future__ import annotations

import functools
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from lightning_tui.ui.plan.judging import Judging
from lightning_tui.ui.plan.words import script_value
from lightning_tui.ui.programs import choose

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lightning_tui.plan.model import Plan
    from lightning_tui.plan.recommended import Recommendation
    from lightning_tui.plan.saved import SavedPlan
    from lightning_tui.services.cases import Export, FieldChoices
    from lightning_tui.ui.options import CockpitOptions
    from lightning_tui.ui.orders import Orders
    from lightning_tui.ui.plan.saved_window import PlanAnswer
    from lightning_tui.ui.port import Port


class Planning:
    """Edits the plan of a cockpit's view. Its methods and the answers to its orders run on the event loop."""

    def __init__(self, port: Port, options: CockpitOptions, orders: Orders) -> None:
        self._port = port
        self._options = options
        self._orders = orders
        self.judging = Judging(port, orders, self.type_program)
        self._ask = orders.ask

    def open(self, window: str, field: str) -> None:
        """Open one of the plan's windows: `fields`, `recommended`, `saved`, `command`."""
        if window == "fields":
            self.show_all_fields(field)
        elif window == "recommended":
            self._show_recommended()
        elif window == "saved":
            self.show_plans()
        else:
            self.show_command()

    def edit(self, field: str) -> None:
        from lightning_tui.ui.plan.field_window import has_choices
        from lightning_tui.ui.plan.pane import ALL_FIELDS, FITS, PROGRAM

        if field == PROGRAM:
            self.type_program()
        elif field == ALL_FIELDS:
            self.show_all_fields()
        elif field == FITS:
            self.judging.show_memory()
        elif has_choices(field):
            self._choose(field)
        else:
            self._type_field(field)

    def show_all_fields(self, start: str = "") -> None:
        from lightning_tui.ui.plan.fields_window import fields_window

        window = fields_window(self._port.view.plan, self._script, start)
        self._port.open(window, lambda name: self.edit(name) if name is not None else None)

    def _choose(self, field: str) -> None:
        """Open the window at once, so that it takes the keys that follow; what is in it comes from a thread."""
        from lightning_tui.ui.plan.field_window import ChoiceWindow
        from lightning_tui.ui.windows.window import WIDEST

        width = min(WIDEST, self._port.width - 2) - 6
        window = ChoiceWindow(field, getattr(self._port.view.plan, field), self._script(field), width)
        self._port.open(window, lambda answer: self._take_choice(field, answer))
        case = self.judging.case

        def look_up(*, is_patient: bool) -> None:
            self._ask(
                "looking up the choices", "The choices are not known", lambda: choices(field, case, is_patient), take
            )

        def take(found: FieldChoices) -> None:
            """Show them where the window is still open, and ask again, patiently, where more can be learnt."""
            if window.is_attached:
                window.take_choices(found)
                if not found.is_complete:
                    look_up(is_patient=True)

        choices = self._orders.services.plans.choices
        look_up(is_patient=False)

    def _take_choice(self, field: str, answer: str | None) -> None:
        from lightning_tui.ui.plan.field_window import OTHER

        if answer == OTHER:
            self._type_field(field)
        else:
            self._take_text(field, answer)

    def _type_field(self, field: str) -> None:
        from lightning_tui.plan.fields import FIELD_TEXTS
        from lightning_tui.ui.plan.field_window import written
        from lightning_tui.ui.plan.fields_window import help_lines
        from lightning_tui.ui.windows.field import FieldWindow

        plan, script = self._port.view.plan, self._script(field)
        unset = f" ({written(script)})" if script is not None else ""
        text = FIELD_TEXTS[field]
        lines = (*help_lines(field), f"Leave empty for the value of the script{unset}.")
        check = functools.partial(plan.with_field, field)
        window = FieldWindow(f"{text.label} · {field}", written(getattr(plan, field)), "\n".join(lines), check)
        self._port.open(window, lambda typed: self._take_text(field, typed))

    def _take_text(self, field: str, text: str | None) -> None:
        if text is not None:
            self.take_plan(self._port.view.plan.with_field(field, text))

    def take_plan(self, plan: Plan) -> None:
        self._port.change(plan=plan)

    def _script(self, field: str) -> object:
        return script_value(self._port.view, field)

    def type_program(self) -> None:
        from lightning_tui.ui.windows.field import FieldWindow

        known = self._port.view.program
        explanation = "What you would type after python: train.py --lr 3e-4, or -m package.train, a command, or demo."
        window = FieldWindow("Program", shlex.join(known.given if known else ()), explanation, _split_program)
        self._port.open(window, self._take_program)

    def _take_program(self, text: str | None) -> None:
        if text is not None:
            known = self._port.view.program
            program = choose(self._options, tuple(shlex.split(text)), known.folder if known is not None else None)
            if not self._port.view.is_active:
                self._port.detach()  # a run that is over leaves the screen
            self._port.change(program=program)

    def find_program(self) -> None:
        """Ask which program to offer, where none was named."""
        if self._port.view.program is None:
            last = self._orders.services.last_program
            self._ask("looking for the last program", "The last program is not known", last, self._offer)

    def _offer(self, words: Sequence[str]) -> None:
        if words and self._port.view.program is None and self._port.directory is None:
            self._port.change(program=choose(self._options, tuple(words)))

    def _show_recommended(self) -> None:
        from lightning_tui.ui.plan.recommended_window import RecommendedWindow

        window, case = RecommendedWindow(self._port.view.plan), self.judging.case
        self._port.open(window, self._take_recommended)

        def take(found: Recommendation) -> None:
            if window.is_attached:
                window.take_recommendation(found)

        recommend = self._orders.services.plans.recommend
        self._ask("looking for a plan", "No plan can be recommended", lambda: recommend(case), take)

    def _take_recommended(self, changes: dict[str, object] | None) -> None:
        if changes:
            self.take_plan(msgspec.structs.replace(self._port.view.plan, **changes))

    def show_plans(self) -> None:
        """Open the window of plans by name."""
        from lightning_tui.ui.plan.saved_window import PlansWindow

        plans = self._orders.services.plans

        def take(found: Sequence[SavedPlan]) -> None:
            if window.is_attached:
                window.take_plans(found)

        def delete(name: str) -> None:
            case = self.judging.case

            def act() -> Sequence[SavedPlan]:
                plans.delete(case, name)
                return plans.saved(case)

            self._orders.change("deleting the plan", "The plan is not deleted", act, take)

        window, case = PlansWindow(self._port.view.plan, delete, self._port.view.now), self.judging.case
        self._port.open(window, self._take_named_plan)
        self._ask("listing the plans", "The saved plans cannot be listed", lambda: plans.saved(case), take)

    def _take_named_plan(self, answer: PlanAnswer | None) -> None:
        from lightning_tui.ui.plan.saved_window import SAVE

        if answer == SAVE:
            self._type_plan_name()
        elif answer is not None and answer.plan is not None:
            self.take_plan(answer.plan)
            self._port.notice(f"plan: {answer.name}")

    def _type_plan_name(self) -> None:
        from lightning_tui.plan.saved import checked_name
        from lightning_tui.ui.windows.field import FieldWindow

        explanation = (
            "A name for this plan. A plan of the same name is replaced; programs in the same folder share saved plans."
        )
        window = FieldWindow("Save the plan as", "", explanation, checked_name)
        self._port.open(window, lambda name: self._save(name) if name else None)

    def _save(self, name: str) -> None:
        save, case = self._orders.services.plans.save, self.judging.case
        self._orders.change(
            "saving the plan",
            "The plan is not saved",
            lambda: save(case, name),
            lambda path: self._port.notice(f"saved: {path}"),
        )

    def show_command(self) -> None:
        """Ask for the plan in its forms."""
        if self._port.view.program is None:
            self._port.notice("no program is chosen yet")
        else:
            exports, case = self._orders.services.plans.exports, self.judging.case
            self._ask(
                "writing the plan out", "The plan cannot be written out", lambda: exports(case), self._show_exports
            )

    def _show_exports(self, exports: Sequence[Export]) -> None:
        from lightning_tui.ui.plan.export_window import ExportWindow

        self._port.open(ExportWindow(exports, self._copied, self._type_file))

    def _copied(self, export: Export) -> None:
        from lightning_tui.record.masking import MASK

        masked = "; its secrets are masked" if MASK in export.text else ""
        self._port.notice(f"{export.title} copied, if the terminal supports OSC 52{masked}")

    def _type_file(self, export: Export) -> None:
        from lightning_tui.ui.windows.field import FieldWindow

        folder = self._port.view.program.folder if self._port.view.program is not None else Path.cwd()
        explanation = f"A new file; a relative path starts at {folder}. Existing files are not overwritten."

        def write(name: str | None) -> None:
            if name:
                path = folder / Path(name).expanduser()
                self._ask(
                    "writing the file",
                    "The file is not written",
                    lambda: self._orders.services.plans.write(path, export.text),
                    lambda _: self._port.notice(f"written: {path}"),
                )

        window = FieldWindow(f"Write {export.title} to", export.file_name, explanation, _checked_file)
        self._port.open(window, write)


def _split_program(text: str) -> list[str]:
    try:
        words = shlex.split(text)
    except ValueError as error:
        raise ValueError(f"The quotes do not match: {error}.") from error
    if not words:
        raise ValueError("Type a program, for example train.py, or demo.")
    return words


def _checked_file(name: str) -> str:
    if not name.strip():
        raise ValueError("Type the name of a file.")
    return name
