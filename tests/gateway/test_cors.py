"""Pages of other sites: only those of the chosen origins may use the API from a browser."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from configs.settings import Settings
from gateway import create_app
from worker.access.api_key import KeyText
from worker.access.keys import Keys
from worker.access.scope import Scope
from worker.store.keyspace import Keyspace

PAGE = "https://app.example.com"


@pytest.fixture
def admin(keyspace: Keyspace) -> KeyText:
    return Keys(keyspace).create("the first", [Scope.ADMIN])


@pytest.fixture
def with_cors(required: Settings) -> FlaskClient:
    origins = Settings.model_validate({"cors_origins": f"{PAGE}, http://localhost:3000"}).cors_origins
    return create_app(required.model_copy(update={"cors_origins": origins})).test_client()


def test_a_page_of_a_chosen_origin_may_use_the_api(with_cors: FlaskClient, admin: KeyText) -> None:
    question = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Sec-Fetch-Site": "cross-site"}
    preflight = with_cors.options("/v1/jobs", headers=question)
    assert preflight.status_code == 200
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]
    sent = {"Origin": PAGE, "Sec-Fetch-Site": "cross-site", "Authorization": f"Bearer {admin}"}
    for answer in (
        preflight,
        with_cors.get("/v1/jobs", headers=sent),
        with_cors.post("/v1/jobs", headers=sent, json={}),
        with_cors.get("/v1/jobs", headers={"Origin": PAGE}),
    ):
        assert answer.headers["Access-Control-Allow-Origin"] == PAGE
        assert answer.headers["Vary"] == "Origin"
    assert with_cors.post("/v1/jobs", headers=sent, json={}).status_code == 422


def test_a_page_of_another_origin_may_not(with_cors: FlaskClient, admin: KeyText) -> None:
    for origin in ("https://evil.example", f"{PAGE}:444", "http://app.example.com", "null", f"{PAGE}."):
        sent = {"Origin": origin, "Authorization": f"Bearer {admin}"}
        post = with_cors.post("/v1/jobs", headers=sent, json={})
        for answer in (
            with_cors.options("/v1/jobs", headers={**sent, "Access-Control-Request-Method": "POST"}),
            with_cors.get("/v1/jobs", headers=sent),
            post,
        ):
            assert not [name for name, _ in answer.headers if name.startswith("Access-Control")]
        assert post.get_json()["code"] == "cross_site"


def test_without_the_setting_no_answer_has_headers_of_cors(required: Settings, admin: KeyText) -> None:
    client = create_app(required).test_client()
    answer = client.get("/v1/jobs", headers={"Origin": PAGE, "Authorization": f"Bearer {admin}"})
    assert not [name for name, _ in answer.headers if name.startswith("Access-Control") or name == "Vary"]
