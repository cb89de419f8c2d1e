"""examples/python-docs over the real pages of Debian's python3-doc: found, filtered, answered, cited."""

import json
import os
import urllib.request

from openai import OpenAI

URL = os.environ["MAINSPRING_URL"]
client = OpenAI(base_url=URL + "/v1", api_key="unused", max_retries=0)
# A question and the page of the tutorial that answers it.
QUESTIONS = {
    "How do I open a file so that it is closed afterwards?": "inputoutput.html",
    "What does the else clause of a for loop do?": "controlflow.html",
    "How are virtual environments created?": "venv.html",
    "How do I raise an exception of my own class?": "errors.html",
    "What is a list comprehension?": "datastructures.html",
    "How do I import a name from a module?": "modules.html",
    "Why is 0.1 + 0.2 not 0.3?": "floatingpoint.html",
}
passed = 0


def get(path):
    with urllib.request.urlopen(URL + path) as answer:
        return json.load(answer)


def search(query, **extra):
    body = json.dumps({"query": query, "limit": 5, **extra}).encode()
    request = urllib.request.Request(URL + "/api/v1/knowledge/python-tutorial/search", body, {"content-type": "application/json"})
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["passages"]


def scenario(test):
    global passed
    test()
    passed += 1
    print(f"  ok {test.__doc__}")


@scenario
def pages():
    """every page is taken in, titled by itself and without its site's name"""
    documents = get("/api/v1/knowledge/python-tutorial/documents?limit=100")["items"]
    assert len(documents) >= 15 and all(document["status"] == "ready" for document in documents), documents
    assert not [document["title"] for document in documents if "documentation" in document["title"]], documents


@scenario
def found():
    """the page that answers a question is among the first three, whatever the mode"""
    missed = {
        (mode, question)
        for mode in ("hybrid", "vector")
        for question, page in QUESTIONS.items()
        if not any(hit["uri"].endswith(page) for hit in search(question, mode=mode)[:3])
    }
    assert len(missed) <= 1, missed


@scenario
def clean():
    """no passage shows where a link leads, nor the mark of a permalink"""
    for question in QUESTIONS:
        for hit in search(question):
            assert "¶" not in hit["text"] and ".html#" not in hit["text"], hit["text"]


@scenario
def answered():
    """an answer cites the passage it was given, at offsets of the parsed page"""
    question = "How do I open a file so that it is closed afterwards?"
    answer = client.chat.completions.create(model="python-tutorial", messages=[{"role": "user", "content": question}])
    extra = answer.model_extra["mainspring"]
    assert answer.choices[0].message.content.strip() and extra["sources"], answer
    for source in extra["sources"]:
        text = get(f"/api/v1/knowledge/python-tutorial/documents/{source['document']}/text")["text"].encode()
        assert source["text"].strip() in text[source["start"] : source["end"]].decode(), source


print(f"{passed} passed, 0 failed")
