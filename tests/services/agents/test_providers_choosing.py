"""Which provider answers for which model, at what price."""

from __future__ import annotations

import pytest
from pydantic import SecretStr, ValidationError

from services.agents.providers.models import BUILTIN, Usage
from services.agents.providers.operations import Providers
from services.agents.providers.rules.choosing import Offers, Service, choose, cost_of
from services.agents.settings import AgentsSettings
from shared.prices import read_prices
from shared.settings import SettingsError, read
from tests.services.agents.providers_support import TRUST, provider_settings, question

NOTHING = Offers({})
BOTH = Offers({"openai": "small", "anthropic": None})
CLOSED = Offers({"openai": None}, "openai/llama3")


@pytest.mark.parametrize(
    ("model", "offers", "service", "named"),
    [
        ("gpt-4", BOTH, "openai", "gpt-4"),
        ("openai/gpt-4", BOTH, "openai", "gpt-4"),
        ("OpenAI/gpt-4", BOTH, "openai", "gpt-4"),
        ("openai", BOTH, "openai", "small"),
        ("openai/", BOTH, "openai", "small"),
        ("meta-llama/Llama-3", BOTH, "openai", "meta-llama/Llama-3"),
        ("claude-sonnet", BOTH, "anthropic", "claude-sonnet"),
        ("Claude-Sonnet", BOTH, "anthropic", "Claude-Sonnet"),
        ("anthropic/claude-x", BOTH, "anthropic", "claude-x"),
        ("openai/claude-x", BOTH, "openai", "claude-x"),
        ("builtin", BOTH, None, BUILTIN),
        ("Builtin", BOTH, None, BUILTIN),
        ("default", BOTH, None, BUILTIN),
        ("default", CLOSED, "openai", "llama3"),
        (" ", CLOSED, "openai", "llama3"),
        ("default", Offers({}, "default"), None, BUILTIN),
    ],
)
def test_the_model_names_the_provider(
    model: str, offers: Offers, service: Service | None, named: str
) -> None:
    choice = choose(model, offers)
    assert (choice.service, choice.model, choice.note) == (service, named, None)


@pytest.mark.parametrize(
    ("model", "offers"),
    [
        ("gpt-4", NOTHING),
        ("openai/gpt-4", NOTHING),
        ("claude-3", NOTHING),
        ("claude-3", CLOSED),
        ("anthropic", BOTH),
        ("openai", CLOSED),
        ("x" * 1000, NOTHING),
    ],
)
def test_what_nobody_offers_is_answered_by_the_built_in_provider_which_says_so(
    model: str, offers: Offers
) -> None:
    choice = choose(model, offers)
    assert (choice.service, choice.model) == (None, BUILTIN)
    assert choice.note is not None
    assert model[:50] in choice.note
    assert len(choice.note) < 250


async def test_without_any_key_every_model_is_answered() -> None:
    async with Providers.opened(provider_settings(), TRUST) as providers:
        for model in ("gpt-4", "claude-3-opus", "llama3", "openai/x", "anthropic/y"):
            answered = await providers.complete(question("hello there", model=model))
            assert "Ada" in answered.text
            assert "hello there" in answered.text
            assert answered.usage == Usage()
            assert model in " ".join(answered.notes)
            assert (answered.provider, answered.model) == (BUILTIN, BUILTIN)
        assert not (await providers.complete(question(model="builtin"))).notes


def test_the_longest_price_that_fits_counts() -> None:
    prices = read_prices("gpt-4o=2.50/10, claude-*=3/15 claude-opus*=15/75 *=1/1 Free=0/0")
    assert cost_of("gpt-4o", 1_000_000, 0, prices) == Usage(1_000_000, 0, 2_500_000)
    assert cost_of("GPT-4o", 0, 3, prices).cost_micros == 30
    assert cost_of("claude-haiku", 1, 1, prices).cost_micros == 18
    assert cost_of("claude-opus-5", 1, 1, prices).cost_micros == 90
    assert cost_of("free", 99, 99, prices).cost_micros == 0
    assert cost_of("other", 2, 2, prices).cost_micros == 4
    assert cost_of("other", 2, 2, ()) == Usage(2, 2, 0)
    assert cost_of("gpt-4o", 1, 0, prices).cost_micros == 3


@pytest.mark.parametrize(
    "text", ["gpt-4", "gpt=1", "gpt=a/b", "=1/2", "g=-1/2", "g=NaN/1", "g=inf/1", "g=1/2/3"]
)
def test_bad_prices_stop_the_process(text: str) -> None:
    with pytest.raises(ValueError, match="not a price"):
        read_prices(text)
    with pytest.raises(ValidationError):
        provider_settings(model_prices=text)


def test_keys_are_ours_alone_and_never_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GUILDHALL_DATABASE_URL", "postgres://nobody@127.0.0.1/none")
    monkeypatch.setenv("GUILDHALL_ROOT_SECRET", "A" * 43)
    # Whoever has such a key for other things has not asked us to spend it.
    monkeypatch.setenv("OPENAI_API_KEY", "theirs")
    monkeypatch.setenv("GUILDHALL_AGENTS_ANTHROPIC_KEY", "ours\n")
    settings = read(AgentsSettings)
    assert settings.openai_key is None
    assert settings.anthropic_key == SecretStr("ours")
    assert "ours" not in repr(settings)
    monkeypatch.setenv("GUILDHALL_OPENAI_KEY", "not\na line")
    with pytest.raises(SettingsError) as raised:
        read(AgentsSettings)
    assert "a line" not in str(raised.value).replace("one line", "")
