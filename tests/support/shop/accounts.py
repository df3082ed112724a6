"""Signing up, logging in and out, the dashboard and the settings."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.shop.drawing import draw, form_of, redirect, session_of, shop_of
from tests.support.shop.state import Account


async def _signup(request: Request) -> Response:
    if request.method == "GET":
        return draw(request, "signup", error="", given={})
    form, shop = await form_of(request), shop_of(request)
    error = ""
    if "@" not in form.get("email", ""):
        error = "Enter a valid e-mail address."
    elif form["email"] in shop.accounts:
        error = "This e-mail address is taken."
    elif len(form.get("password", "")) < 8:
        error = "The password needs at least 8 characters."
    elif form.get("password") != form.get("confirm"):
        error = "The passwords do not match."
    if error:
        return draw(request, "signup", 422, error=error, given=form)
    shop.accounts[form["email"]] = Account(
        form["email"], form["password"], form.get("name") or form["email"].partition("@")[0]
    )
    session_of(request).email = form["email"]
    return redirect(request, "/dashboard", "Your account is ready.")


async def _login(request: Request) -> Response:
    if request.method == "GET":
        return draw(request, "login", error="", given={})
    form, shop = await form_of(request), shop_of(request)
    account = shop.accounts.get(form.get("email", ""))
    if account is None or account.password != form.get("password"):
        error = "Wrong e-mail or password."
        return draw(request, "login", 401, error=error, given=form)
    session_of(request).email = account.email
    return redirect(request, "/dashboard", "Logged in.")


async def _logout(request: Request) -> Response:
    session_of(request).email = None
    return redirect(request, "/", "Logged out.")


async def _dashboard(request: Request) -> Response:
    if session_of(request).email is None:
        return redirect(request, "/login", "Log in first.")
    return draw(request, "dashboard")


async def _settings(request: Request) -> Response:
    account = shop_of(request).accounts.get(session_of(request).email or "")
    if account is None:
        return redirect(request, "/login", "Log in first.")
    if request.method == "POST":
        form = await form_of(request)
        account.name = form.get("name", account.name)
        account.bio = form.get("bio", account.bio)
        account.theme = form.get("theme", account.theme)
        account.newsletter = form.get("newsletter") == "on"
        return redirect(request, "/settings", "Settings saved.")
    return draw(request, "settings")


ROUTES = [
    Route("/signup", _signup, methods=["GET", "POST"]),
    Route("/login", _login, methods=["GET", "POST"]),
    Route("/logout", _logout, methods=["GET", "POST"]),
    Route("/dashboard", _dashboard),
    Route("/settings", _settings, methods=["GET", "POST"]),
]
