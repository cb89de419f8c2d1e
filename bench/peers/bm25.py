"""What stemming, stop words and the two constants of BM25 change on the public sets: bm25.py DATA"""

import json
import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

import snowballstemmer

STOP = set("a an and are as at be but by for if in into is it no not of on or such that the their then there these they this to was will with".split())
stemmer = snowballstemmer.stemmer("english")


def cranfield(folder):
    def records(name):
        found, field = [], ""
        for line in (folder / name).read_text().splitlines():
            if line.startswith(".I"):
                found.append(defaultdict(str))
            elif len(line) == 2 and line.startswith("."):
                field = line[1]
            else:
                found[-1][field] += " " + line
        return found
    documents = {str(at): one["W"] for at, one in enumerate(records("cran.all.1400"), 1)}
    questions = [(one["W"], {}) for one in records("cran.qry")]
    for line in (folder / "cranqrel").read_text().splitlines():
        question, document, grade = map(int, line.split()[:3])
        if 1 <= grade <= 4:
            questions[question - 1][1][str(document)] = 5 - grade
    return "Cranfield", documents, [one for one in questions if one[1]]


def xquad(path):
    documents, questions = {}, []
    for number, article in enumerate(json.loads(path.read_text())["data"]):
        for at, paragraph in enumerate(article["paragraphs"]):
            documents[f"{number}-{at}"] = paragraph["context"]
            questions += [(one["question"], {f"{number}-{at}": 1}) for one in paragraph["qas"]]
    return "XQuAD-en", documents, questions


def words(text, stem, stop):
    found = [word for word in re.findall(r"\w+", text.lower()) if not (stop and word in STOP)]
    return stemmer.stemWords(found) if stem else found


def ndcg(ranked, gains):
    discounted = lambda values: sum(value / math.log2(rank) for rank, value in enumerate(values, 2))
    return discounted([gains.get(key, 0) for key in ranked[:10]]) / discounted(sorted(gains.values(), reverse=True)[:10])


def measure(documents, questions, stem, stop, k1, b):
    postings, lengths = defaultdict(list), {}
    for key, text in documents.items():
        counts = Counter(words(text, stem, stop))
        lengths[key] = sum(counts.values())
        for word, count in counts.items():
            postings[word].append((key, count))
    mean, total = sum(lengths.values()) / len(lengths), 0.0
    for question, gains in questions:
        scores = Counter()
        for word in words(question, stem, stop):
            found = postings.get(word, ())
            rarity = math.log(1 + (len(lengths) - len(found) + .5) / (len(found) + .5))
            for key, count in found:
                scores[key] += rarity * count * (k1 + 1) / (count + k1 * (1 - b + b * lengths[key] / mean))
        total += ndcg([key for key, _ in scores.most_common(10)], gains)
    return total / len(questions)


data = Path(sys.argv[1])
for name, documents, questions in [cranfield(data / "cranfield"), xquad(data / "xquad/xquad.en.json")]:
    for stem, stop, k1, b in [(True, True, 1.2, .75), (False, True, 1.2, .75), (True, False, 1.2, .75), (True, True, .9, .4), (False, False, .9, .4)]:
        setting = f"{'stems' if stem else 'whole words'}, stop words {'dropped' if stop else 'kept'}, k1 {k1}, b {b}"
        print(json.dumps({"set": name, "setting": setting, "ndcg_at_10": measure(documents, questions, stem, stop, k1, b)}), flush=True)
