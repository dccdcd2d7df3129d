"""Run each attack on a server of its own, and print the effect."""

from tests.attacks import login_spray, unread_answers, wrong_logins


def main() -> None:
    for attack in (login_spray, unread_answers, wrong_logins):
        attack.main()


if __name__ == "__main__":
    main()
