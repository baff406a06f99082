import runpy, settings, pulumi
from pathlib import Path
def test_it(recorder, stack_config, monkeypatch):
    monkeypatch.setattr(settings, "chart_archive", lambda *a: "./c.tgz")
    stack_config(*settings.read_files(Path("."), "dev"))
    recorder.run(lambda: runpy.run_path("__main__.py"))
    for r in recorder.every(): print(r, r.protected, r.plain_text[:300])
    print(recorder.exports()); print(recorder.hooks)
    print(recorder.secret_data("airflow-database-metadata"))
    assert 0
