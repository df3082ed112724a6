"""The front page, products, the cart, the checkout, orders and the search."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.shop.drawing import draw, form_of, redirect, session_of, shop_of
from tests.support.shop.state import PRODUCTS, named, total


async def _home(request: Request) -> Response:
    return draw(request, "home")


async def _products(request: Request) -> Response:
    return draw(request, "products", found=PRODUCTS, query="")


async def _search(request: Request) -> Response:
    query = request.query_params.get("q", "")
    found = [product for product in PRODUCTS if query.lower() in product.name.lower()]
    return draw(request, "products", found=found, query=query)


async def _product(request: Request) -> Response:
    return draw(request, "product", product=named(request.path_params["slug"]))


async def _cart(request: Request) -> Response:
    session = session_of(request)
    if request.method == "POST":
        form = await form_of(request)
        session.cart[form["product"]] += int(form.get("quantity") or 1)
        return redirect(request, "/cart", f"{named(form['product']).name} is in your cart.")
    lines = [(named(slug), count) for slug, count in session.cart.items()]
    return draw(request, "cart", lines=lines, total=total(session))


async def _remove(request: Request) -> Response:
    form = await form_of(request)
    session_of(request).cart.pop(form["product"], None)
    return redirect(request, "/cart", f"{named(form['product']).name} was removed.")


async def _checkout(request: Request) -> Response:
    session, shop = session_of(request), shop_of(request)
    if request.method == "POST":
        await form_of(request)
        order = shop.place(session)
        return redirect(request, f"/orders/{order.number}", "Thank you for your order.")
    return draw(request, "checkout", total=total(session))


async def _orders(request: Request) -> Response:
    return draw(request, "orders", orders=shop_of(request).orders)


async def _order(request: Request) -> Response:
    number = request.path_params["number"]
    order = next((one for one in shop_of(request).orders if one.number == number), None)
    if order is None:
        return draw(request, "missing", 404)
    return draw(request, "order", order=order)


async def _cancel(request: Request) -> Response:
    number = request.path_params["number"]
    for order in shop_of(request).orders:
        if order.number == number:
            order.status = "Cancelled"
    return redirect(request, "/orders", f"{number} was cancelled.")


ROUTES = [
    Route("/", _home),
    Route("/products", _products),
    Route("/products/{slug}", _product),
    Route("/search", _search),
    Route("/cart", _cart, methods=["GET", "POST"]),
    Route("/cart/remove", _remove, methods=["POST"]),
    Route("/checkout", _checkout, methods=["GET", "POST"]),
    Route("/orders", _orders),
    Route("/orders/{number}", _order),
    Route("/orders/{number}/cancel", _cancel, methods=["POST"]),
]
