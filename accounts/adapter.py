"""How people sign in."""

from allauth.account.adapter import DefaultAccountAdapter
from django.http import HttpRequest

from accounts.lockout import client_address


class ClosedAccountAdapter(DefaultAccountAdapter):
    """Accounts are given by an administrator; nobody signs up by themselves."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        return client_address(request)
