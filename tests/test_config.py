"""What a machine says: safe by default, and refused with a sentence in production when it is
not.
"""

import threading

import pytest

import config

GOOD = {
    "COMPTOIR_ENV": "production",
    "COMPTOIR_BASE_URL": "https://gestion.exemple.fr",
    "COMPTOIR_SECRET_KEY": "s" * 40,
    "COMPTOIR_SMTP_URL": "smtp://smtp.exemple.fr:587",
    "COMPTOIR_SEALING_KEYS": "k1:" + "A" * 43 + "=",
}


def read(tmp_path, **env):
    return config.read({"COMPTOIR_DATA_DIR": str(tmp_path), **env})


def test_a_trial_needs_nothing_and_keeps_one_secret(tmp_path):
    first, second = read(tmp_path), read(tmp_path)
    assert first.secret_key == second.secret_key
    assert len(first.secret_key) > 40
    assert first.database_url == f"sqlite:///{tmp_path / 'comptoir.db'}"
    assert not first.is_production
    assert (tmp_path / "secret_key").stat().st_mode & 0o077 == 0


def test_processes_that_start_together_share_one_secret(tmp_path):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(read(tmp_path).secret_key)) for _n in range(16)
    ]
    [t.start() for t in threads], [t.join() for t in threads]
    assert len(set(found)) == 1
    assert found[0]


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"COMPTOIR_SECRET_KEY": ""}, "SECRET_KEY"),
        ({"COMPTOIR_SECRET_KEY": "court"}, "SECRET_KEY"),
        ({"COMPTOIR_BASE_URL": "http://x.fr"}, "BASE_URL"),
        ({"COMPTOIR_SEALING_KEYS": ""}, "SEALING_KEYS"),
        ({"COMPTOIR_SEALING_KEYS": "k1:court"}, "SEALING_KEYS"),
        ({"COMPTOIR_SMTP_URL": "smtp://127.0.0.1:8025"}, "simulator"),
        ({"COMPTOIR_REDIS_URL": "redis://127.0.0.1:6379/0"}, "REDIS_URL"),
        ({"COMPTOIR_SMS_URL": "http://127.0.0.1:8026/sms"}, "simulator"),
        ({"COMPTOIR_MONDIAL_RELAY_URL": "http://simulator.local/"}, "simulator"),
    ],
)
def test_production_refuses_what_is_for_trials(tmp_path, change, names):
    assert read(tmp_path, **GOOD).is_production
    with pytest.raises(config.ConfigError, match=names):
        read(tmp_path, **{**GOOD, **change})


def test_the_demonstration_is_closed_in_production(app):
    from dataclasses import replace

    machine = app.extensions["comptoir"]
    app.extensions["comptoir"] = replace(machine, env="production")
    try:
        result = app.test_cli_runner().invoke(args=["demo"])
    finally:
        app.extensions["comptoir"] = machine
    assert result.exit_code != 0
    assert "closed in production" in result.output


def test_postgresql_is_spoken_to_by_its_driver(tmp_path):
    assert (
        read(tmp_path, COMPTOIR_DATABASE_URL="postgresql://u@/db").database_url
        == "postgresql+psycopg://u@/db"
    )


def test_a_redis_with_a_password_or_behind_a_socket_serves_production(tmp_path):
    for url in ("redis://:secret@127.0.0.1:6379/0", "unix:///run/redis.sock"):
        assert read(tmp_path, **GOOD, COMPTOIR_REDIS_URL=url).redis_url == url
