"""Addresses of the registry."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView

from accounts.resetting import ForgottenPasswordView
from languages.views import words_of_scripts
from prrt_registry import health

urlpatterns = [
    path("health/live/", health.live, name="health-live"),
    path("health/ready/", health.ready, name="health-ready"),
    path("jsi18n/<str:language>/", words_of_scripts, name="script-words"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("prrt_registry.api_urls")),
    # Nobody signs up by themselves: this asks to sign in as every page does, and goes on to home.
    path("account/signup/", RedirectView.as_view(pattern_name="home")),
    path("", include("accounts.urls")),
    path("account/password/reset/", ForgottenPasswordView.as_view(), name="account_reset_password"),
    path("account/", include("allauth.account.urls")),
    path("account/2fa/", include("allauth.mfa.urls")),
    path("", include("analytics.urls")),
    path("", include("exchange.urls")),
    path("", include("clinic.urls")),
]

handler500 = "prrt_registry.failing.failed"
