from django.contrib import admin
from django.urls import path

from catalog import views

urlpatterns = [
    path("", views.home, name="home"),
    path("products/<int:number>/", views.product, name="product"),
    path("wait", views.wait),
    path("healthz", views.healthz),
    path("admin/", admin.site.urls),
]
