"""What users read of the keys is what is checked."""

from zfrepro import config, schema, usage


def test_the_page_of_keys_is_up_to_date() -> None:
    page = (config.ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
    assert page == usage.page(), "python -m zfrepro.usage > docs/configuration.md"


def test_help_says_of_each_key_what_it_can_be_and_means() -> None:
    text = " ".join(usage.text().split())
    for key, (what, doc) in schema.explained("config").items():
        assert f" {key} {what}: {doc}" in text
