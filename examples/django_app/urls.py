"""What there is."""

# Django has no types.
# mypy: disable-error-code="import-untyped"

from django.urls import path

from examples.django_app import views

urlpatterns = [
    path("login", views.sign_in),
    path("logout", views.sign_out),
    path("exports", views.start_export),
    path("scans", views.start_scan),
    path("checks", views.check),
    path("reports", views.make_report),
]
