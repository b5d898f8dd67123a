"""Pages whose requests do what most requests do: ask the database, wait for it, fill in a template.

/                  the newest products; /?q=tea those with a name like that
/products/1/       one of them
/wait?ms=100       waits for the database for 100 ms, as for a slow query
/healthz           ok, without the database: without it the application is alive, and a restart would not help
"""

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import get_object_or_404, render

from catalog.models import Product

ON_A_PAGE = 20
MOST_MS = 10_000


def home(request: HttpRequest) -> HttpResponse:
    wanted = request.GET.get("q", "")
    products = Product.objects.filter(name__icontains=wanted)[:ON_A_PAGE]
    return render(request, "catalog/home.html", {"products": products, "wanted": wanted})


def product(request: HttpRequest, number: int) -> HttpResponse:
    return render(request, "catalog/product.html", {"product": get_object_or_404(Product, pk=number)})


def wait(request: HttpRequest) -> HttpResponse:
    text = request.GET.get("ms", "100")
    if not (text.isdecimal() and len(text) <= len(str(MOST_MS)) and int(text) <= MOST_MS):
        return HttpResponseBadRequest(f"ms: expected milliseconds from 0 to {MOST_MS}\n", content_type="text/plain")
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_sleep(%s)", [int(text) / 1000])
    return HttpResponse(f"waited {text} ms\n", content_type="text/plain")


def healthz(request: HttpRequest) -> HttpResponse:
    return HttpResponse("ok\n", content_type="text/plain")
