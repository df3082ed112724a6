"""Checks as expectations (contract, sections 4.2 and 12)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from services.runs.engine.grammar.models import Check
from services.runs.engine.language.models import Target
from services.runs.engine.spec import locating
from services.runs.engine.spec.texts import Texts, Unsaid
from services.runs.engine.spec.typescript import literal

Lines = list[str]
ReadTarget = Callable[[str], Target]

_BODY: Final = "page.locator('body')"


class Claims:
    """Writes checks.

    Args:
        texts: of the file.
        read_target: reads a ``selector_hint`` of words.
    """

    def __init__(self, texts: Texts, read_target: ReadTarget) -> None:
        self._texts = texts
        self._read_target = read_target

    def statements(self, check: Check) -> Lines:
        """Write one check.

        Raises:
            Unsaid: it cannot be said.
        """
        given = check.parameters
        write = _WRITERS.get(check.kind)
        if write is None:
            raise Unsaid(f"a check of kind {check.kind}")
        return write(self, given, ".not" if given.get("not") else "")

    def _text(self, value: Any) -> str:
        return self._texts.text(str(value))

    def _hinted(self, given: Mapping[str, Any]) -> str:
        hint = str(given["selector_hint"])
        return f"({locating.hinted(self._texts, hint, self._read_target(hint))})"

    def url(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``url``."""
        tests = []
        if "path_is" in given:
            tests.append(f"bare(url.pathname) === bare({self._text(given['path_is'])})")
        for name, method in _PARTS.items():
            if name in given:
                tests.append(f"url.href.{method}({self._text(given[name])})")
        if "equals" in given:
            tests.append(f"url.href === {self._text(given['equals'])}")
        if "path_is" in given:
            self._texts.helpers.add("bare")
        return [f"await expect(page){no}.toHaveURL((url) => {' && '.join(tests)});"]

    def visible_text(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``visible_text``; what cannot be seen does not count."""
        where = self._hinted_or_body(given)
        options = "{ useInnerText: true }"
        if given.get("ignore_case"):
            options = "{ useInnerText: true, ignoreCase: true }"
        lines = []
        if "equals" in given:
            text = self._text(given["equals"])
            lines.append(f"await expect({where}){no}.toHaveText({text}, {options});")
        texts = [*([given["contains"]] if "contains" in given else ()), *given.get("all_of", ())]
        if no and len(texts) + len(lines) > 1:
            raise Unsaid("that not all of several texts are shown")
        for each in texts:
            text = self._text(each)
            lines.append(f"await expect({where}){no}.toContainText({text}, {options});")
        if "any_of" in given:
            if no or given.get("ignore_case"):
                raise Unsaid("that one of several texts is shown")
            each = ", ".join(map(self._text, given["any_of"]))
            call = self._texts.call("shows", where, f"[{each}]")
            lines.append(f"await expect.poll(async () => {call}).toBe(true);")
        return lines

    def absent_text(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``absent_text``: none of them, in whichever case."""
        where = self._hinted_or_body(given)
        options = "{ useInnerText: true, ignoreCase: true }"
        return [
            f"await expect({where}).not.toContainText({self._text(each)}, {options});"
            for each in given["any_of"]
        ]

    def element_visible(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``element_visible``."""
        if no:
            hint = str(given["selector_hint"])
            if locating.is_css(hint):
                find = f"(at) => at.locator({self._text(hint)})"
            else:
                find = locating.lookup(self._texts, self._read_target(hint))
            return [f"await {self._texts.call('gone', 'page', find)};"]
        return [f"await expect({self._hinted(given)}).toBeVisible();"]

    def value(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``value``."""
        return self._compared(given, no, f"await expect({self._field(given)}){no}.toHaveValue")

    def enabled(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``enabled``."""
        return [f"await expect({self._hinted(given)}){no}.toBeEnabled();"]

    def disabled(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``disabled``."""
        return [f"await expect({self._hinted(given)}){no}.toBeDisabled();"]

    def checked(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``checked``."""
        hint = str(given["selector_hint"])
        if locating.is_css(hint):
            return [f"await expect({self._hinted(given)}){no}.toBeChecked();"]
        found = locating.toggle(self._texts, self._read_target(hint))
        return [f"await expect({found}){no}.toBeChecked();"]

    def title(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``title``."""
        return self._compared(given, no, f"await expect(page){no}.toHaveTitle")

    def attribute(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``attribute``."""
        found, name = self._hinted(given), self._text(given["name"])
        if not any(each in given for each in (*_PARTS, "equals")):
            return [f"await expect({found}){no}.toHaveAttribute({name});"]
        return self._compared(given, no, f"await expect({found}){no}.toHaveAttribute", name)

    def count(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``count``, of what a CSS selector finds."""
        hint = str(given["selector_hint"])
        if no or not locating.is_css(hint):
            raise Unsaid("how many there are of what no selector says")
        found = f"page.locator({self._text(hint)}).filter({{ visible: true }})"
        words = {
            "equals": "toBe",
            "at_least": "toBeGreaterThanOrEqual",
            "at_most": "toBeLessThanOrEqual",
        }
        return [
            f"await expect.poll(() => {found}.count()).{word}(Number({self._text(given[name])}));"
            for name, word in words.items()
            if name in given
        ]

    def logged_in(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``logged_in``."""
        call = self._texts.call("loggedIn", "page")
        return [f"await expect.poll(() => {call}).toBe({'false' if no else 'true'});"]

    def error_shown(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``error_shown``."""
        if "selector_hint" in given:
            raise Unsaid("an error of one element")
        found = "page.locator('[role=alert], [aria-invalid=true], .error')"
        found += ".filter({ visible: true }).first()"
        return [f"await expect({found}){no}.toBeVisible();"]

    def api(self, given: Mapping[str, Any], no: str) -> Lines:
        """Write ``api``, as far as it looks at the status only."""
        if no or set(given) - {"url", "method", "status", "headers", "body"}:
            raise Unsaid("what an answer holds")
        options = [f"method: {self._text(given.get('method', 'GET'))}"]
        if given.get("headers"):
            pairs = (f"{literal(k)}: {self._text(v)}" for k, v in given["headers"].items())
            options.append(f"headers: {{ {', '.join(pairs)} }}")
        if "body" in given:
            options.append(f"data: {self._text(given['body'])}")
        url = f"new URL({self._text(given['url'])}, baseUrl).href"
        fetched = f"await page.request.fetch({url}, {{ {', '.join(options)} }})"
        if "status" in given:
            return [f"expect(({fetched}).status()).toBe(Number({self._text(given['status'])}));"]
        return [f"expect(({fetched}).ok()).toBe(true);"]

    def _field(self, given: Mapping[str, Any]) -> str:
        hint = str(given["selector_hint"])
        if locating.is_css(hint):
            return self._hinted(given)
        return f"({locating.field(self._texts, self._read_target(hint))})"

    def _hinted_or_body(self, given: Mapping[str, Any]) -> str:
        return self._hinted(given) if "selector_hint" in given else _BODY

    def _compared(self, given: Mapping[str, Any], no: str, call: str, *before: str) -> Lines:
        lines = []
        for name, wrap in (
            ("equals", "{}"),
            ("contains", "new RegExp(escaped({}))"),
            ("starts_with", "new RegExp('^' + escaped({}))"),
            ("ends_with", "new RegExp(escaped({}) + '$')"),
        ):
            if name in given:
                if name != "equals":
                    self._texts.helpers.add("escaped")
                arguments = ", ".join((*before, wrap.format(self._text(given[name]))))
                lines.append(f"{call}({arguments});")
        if no and len(lines) > 1:
            raise Unsaid("that not all of several hold")
        return lines


_PARTS: Final = {"contains": "includes", "starts_with": "startsWith", "ends_with": "endsWith"}

_WRITERS: Final[Mapping[str, Callable[[Claims, Mapping[str, Any], str], Lines]]] = {
    name: getattr(Claims, name)
    for name in (
        *("url", "visible_text", "absent_text", "element_visible", "value", "enabled"),
        *("disabled", "checked", "title", "attribute", "count", "logged_in", "error_shown", "api"),
    )
}
