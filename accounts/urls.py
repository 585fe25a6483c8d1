"""Addresses of people and of one's own account."""

from django.urls import path

from accounts import views

urlpatterns = [
    path("people/", views.people, name="people"),
    path("people/new/", views.person_new, name="person-new"),
    path("people/<uuid:user_id>/", views.person, name="person"),
    path("account/language/", views.choose_language, name="choose-language"),
    path("account/security/", views.security, name="account-security"),
]
