use super::{parse, shape};
use crate::{BlockKind, ParsedDocument};

#[test]
fn html_gives_its_main_content() {
    let filler = "Words that make this the main content of the page, long enough to be recognised as such. ".repeat(8);
    let page = format!(
        "<!doctype html><html><head><title>A &amp; B</title><script>evil()</script></head><body><nav><a href='/'>menu menu</a></nav>\
         <article><h1>Top</h1><p>{filler}</p><h2>Sub</h2><pre><code>let x = 1;</code></pre><table><tr><th>K</th></tr><tr><td>V</td></tr></table></article></body></html>"
    );
    let document = parse("page.html", page).unwrap();
    assert_eq!(document.title, "A & B");
    assert!(document.text.contains("## Sub") && document.text.contains("let x = 1;"), "{}", document.text);
    assert!(!document.text.contains("evil") && !document.text.contains("menu"), "{}", document.text);
    assert!(document.blocks.iter().any(|block| block.heading_path.last().is_some_and(|heading| heading == "Sub")));
}

/// A page as documentation generators write them.
fn documentation() -> String {
    let filler = "Words that make this the main content of the page, long enough to be recognised as such. ".repeat(8);
    format!(
        "<html><head><title>temp — Files &amp; more — Python 3.11.2 documentation</title></head><body>\
         <header><h1>Python</h1></header><main>\
         <h1><code>temp</code> — Files &amp; more<a class='headerlink' href='#temp' title='Permalink'>¶</a></h1>\
         <p>See <a href='https://example.org/a_(b)'>the <em>other</em> page</a>, <code>__all__</code> and __init__ [x]. {filler}</p>\
         <h2>Low-level <a href='low.html'>parts</a><a href='#low'>#</a></h2>\
         <dl><dt>mk_stemp(suffix=None)<a href='#mk'>¶</a></dt><dd>Makes a file. {filler}</dd></dl>\
         <pre>call(<a href='low.html#x'>x_y</a>)</pre>\
         <table><tr><th>Name</th></tr><tr><td><a href='t.html'>a_b</a> is * or |</td></tr></table>\
         <p><img src='data:image/png;base64,AAAA' alt='A plan'></p>\
         <a href='card.html'><h3>Card</h3><p>All about it. {filler}</p></a></main></body></html>"
    )
}

#[test]
fn html_shows_words_and_keeps_where_links_lead_beside_them() {
    let document = parse("temp.html", documentation()).unwrap();
    let text = &document.text;
    for gone in ["](", "http", "¶", "\\_", "\\[", ".html", "base64", "# #"] {
        assert!(!text.contains(gone), "{gone} in {text}");
    }
    for kept in [
        "the *other* page",
        "`__all__` and __init__ [x]",
        "## Low-level parts",
        "mk_stemp(suffix=None)",
        "call(x_y)",
        "a_b is * or",
        "A plan",
        "All about it.",
    ] {
        assert!(text.contains(kept), "{kept} not in {text}");
    }
    let link = |words: &str| document.links.iter().find(|link| link.text == words).map(|link| link.target.as_str());
    assert_eq!(link("the other page"), Some("https://example.org/a_(b)"));
    assert_eq!(link("parts"), Some("low.html"));
    assert_eq!(link("x_y"), Some("low.html#x"));
    assert_eq!(link("a_b"), Some("t.html"));
    assert!(document.links.iter().any(|link| link.target == "card.html" && link.text.starts_with("Card All about it.")));
    assert!(!document.links.iter().any(|link| link.target.starts_with('#')), "{:?}", document.links);
    let stands = |words: &str| document.links.iter().find(|link| link.text == words).and_then(|link| link.place);
    let place = stands("the other page").map(|(start, end)| &text[start..end]);
    assert_eq!(place, Some("the *other* page"));
    assert_eq!(stands("x_y").map(|(start, end)| &text[start..end]), Some("x_y"));
    let card = document.links.iter().find(|link| link.target == "card.html").and_then(|link| link.place).unwrap();
    assert!(text[card.0..card.1].starts_with("### Card") && text[card.0..card.1].contains("All about it."));
    assert!(!text.contains(['\u{fdd0}', '\u{fdd1}']));
    assert!(document.unspoken.is_empty());
    let table = document.blocks.iter().find(|block| block.kind == BlockKind::Table).unwrap();
    assert!(text[table.range()].starts_with("| Name"), "{:?}", &text[table.range()]);
    let low = document.blocks.iter().find(|block| block.heading.as_deref() == Some("Low-level parts")).unwrap();
    assert_eq!(&text[low.range()], "## Low-level parts");
}

#[test]
fn the_title_of_a_page_leaves_out_its_site() {
    assert_eq!(parse("temp.html", documentation()).unwrap().title, "temp — Files & more");
    let title = |title: &str, heading: &str| {
        parse("x.html", format!("<html><head><title>{title}</title></head><body><h1>{heading}</h1><p>Text.</p></body></html>"))
            .unwrap()
            .title
    };
    for separator in ["—", "-", "|", "·"] {
        assert_eq!(title(&format!("Leave {separator} Handbook"), "Leave"), "Leave");
    }
    assert_eq!(title("Leave", "Leave"), "Leave");
    assert_eq!(title("Leave of absence", "Leave"), "Leave of absence", "its own words go on");
    assert_eq!(title("Leave-taking | Handbook", "Leave"), "Leave-taking | Handbook");
    assert_eq!(title("Handbook | Leave", "Leave"), "Handbook | Leave");
    assert_eq!(title("Only the title", ""), "Only the title");
}

fn page(body: &str) -> ParsedDocument {
    parse("x.html", format!("<html><head><title>T</title></head><body>{body}</body></html>")).unwrap()
}

#[test]
fn what_a_page_says_is_its_content_is_taken_whole() {
    let long = "Words of the article that go on and on so that nobody could overlook them. ".repeat(10);
    let body =
        |inside: &str| format!("<div class='sidebar'>Elsewhere {}</div>{inside}<div>© Somebody</div>", "other pages ".repeat(30));
    // A list of links, a short answer and a closed part are what a guess leaves out first.
    let content = format!(
        "<h1>Top</h1><p>{long}</p><ul class='related'><li><a href='a'>a link</a></li><li><a href='b'>b link</a></li></ul>\
         <details><summary>Why?</summary><p>Because.</p></details><form><label>Ask for <b>help</b></label><input value='no'></form>\
         <div class='comment sidebar'>A remark.</div>"
    );
    for (start, end) in [("<main>", "</main>"), ("<div role='main'>", "</div>"), ("<article>", "</article>")] {
        let text = page(&body(&format!("{start}{content}{end}"))).text;
        for kept in ["# Top", "a link", "b link", "Why?", "Because.", "Ask for", "A remark."] {
            assert!(text.contains(kept), "{kept} not in {text}");
        }
        assert!(!text.contains("Elsewhere") && !text.contains("Somebody"), "{text}");
    }
    let beside = format!("<main><article>{content}</article><aside>Read also</aside></main>");
    assert!(!page(&body(&beside)).text.contains("Read also"));
    let several = format!("<main><article>{long}</article><article>Short news.</article></main>");
    assert!(page(&body(&several)).text.contains("Short news."));
}

#[test]
fn where_a_page_says_nothing_no_prose_is_lost() {
    let menu: String = (0..60).map(|n| format!("<li><a href='{n}.html'>Chapter number {n}</a></li>")).collect();
    let macros: String = (0..12)
        .map(|n| {
            format!("<div><h3>Macro {n}</h3><pre>#define M{n}</pre><p>The value that is called by the number {n}.</p></div><hr>")
        })
        .collect();
    let intro = "<h2>values</h2><p>values - what is known by number</p><p>Author: somebody</p><div><h2>Synopsis</h2><pre>void <a href='#x'>init</a> (void);</pre></div>";
    let text = page(&format!("<div class='menu'><ul>{menu}</ul></div>{intro}<div><h2>Details</h2>{macros}</div>")).text;
    for kept in ["what is known by number", "void init (void);", "Macro 11", "called by the number 0."] {
        assert!(text.contains(kept), "{kept} not in {text}");
    }
}

#[test]
fn tables_keep_every_cell_in_its_row() {
    let table = |html: &str| {
        let document = page(html);
        let found = document
            .blocks
            .iter()
            .find(|block| block.kind == BlockKind::Table)
            .map(|block| document.text[block.range()].to_owned());
        found.unwrap_or_else(|| panic!("no table in {}", document.text))
    };
    let rows = "<table><tr><th>Name</th><td>Ada</td></tr><tr><th>Born</th><td>1815</td></tr></table>";
    assert_eq!(table(rows), "| Name | Ada |\n| --- | --- |\n| Born | 1815 |");
    let heads = "<table><caption>Sizes</caption><thead><tr><th>A</th><th colspan=2>B</th></tr><tr><th></th><th>x</th><th>y</th></tr></thead>\
                 <tbody><tr><td rowspan=2>1</td><td>2</td><td>3</td></tr><tr><td>4</td><td>5|6</td></tr></tbody></table>";
    let want = "| A | B |  |\n| --- | --- | --- |\n|  | x | y |\n| 1 | 2 | 3 |\n| 1 | 4 | 5\\|6 |";
    assert_eq!(table(heads), want);
    assert!(page(heads).text.contains("Sizes\n\n|"));
    let nested = "<table><tr><th>Part</th><th>Has</th></tr><tr><td>Box</td><td><table><tr><th>k</th><th>v</th></tr>\
                  <tr><td>a</td><td>1</td></tr></table></td></tr></table>";
    assert_eq!(table(nested), "| Part | Has |\n| --- | --- |\n| Box | k v; a 1 |");
    let laid_out = "<table><tr><td><h2>News</h2><p>One.</p><p>Two.</p></td><td><p>Three.</p></td></tr></table>";
    assert_eq!(shape(&page(laid_out)).iter().map(|row| row.1).collect::<Vec<_>>(), ["## News", "One.", "Two.", "Three."]);
}

#[test]
fn code_keeps_its_language_and_nothing_of_its_colours() {
    let blocks = |html: &str| -> Vec<(Option<String>, String)> {
        let document = page(html);
        let code = document.blocks.iter().filter_map(|block| match &block.kind {
            BlockKind::Code { language } => Some((language.clone(), document.text[block.range()].to_owned())),
            _ => None,
        });
        code.collect()
    };
    for html in [
        "<pre><code class='hljs language-rust'><span class='k'>let</span> <b>x</b> = &amp;1 * 2;<br>f_a();</code></pre>",
        "<div class='highlight-rust notranslate'><div class='highlight'><pre><span></span>let x = &amp;1 * 2;\nf_a();\n</pre></div></div>",
        "<div class='highlight highlight-source-rust'><pre>let x = &amp;1 * 2;\nf_a();</pre></div>",
        "<pre class='lang-rust'>let x = &amp;1 * 2;\nf_a();</pre>",
        "<pre class='sourceCode rust'><code>let x = &amp;1 * 2;\nf_a();</code></pre>",
        "<pre class='brush: rust; notranslate'>let x = &amp;1 * 2;\nf_a();</pre>",
        "<pre data-lang='Rust'>let x = &amp;1 * 2;\nf_a();</pre>",
    ] {
        let want = (Some("rust".to_owned()), "```rust\nlet x = &1 * 2;\nf_a();\n```".to_owned());
        assert_eq!(blocks(html), [want], "{html}");
    }
    assert_eq!(blocks("<pre># not a heading</pre>"), [(None, "```\n# not a heading\n```".to_owned())]);
}

#[test]
fn terms_pictures_and_closed_parts_stay() {
    let document = page(
        "<dl><dt>Term <code>a</code></dt><dd>What it is.<dl><dt>Inner</dt><dd>Deeper.</dd></dl></dd></dl>\
         <figure><img src='x.png' alt='A plan of the  house'><figcaption>Figure 1</figcaption></figure>\
         <details><summary>More</summary><p>Hidden words.</p></details>",
    );
    let text: Vec<&str> = shape(&document).iter().map(|row| row.1).collect();
    assert_eq!(text, ["Term `a`", "What it is.", "Inner", "Deeper.", "A plan of the house", "Figure 1", "More", "Hidden words."]);
}

#[test]
fn what_only_looks_like_open_elements_is_not_counted() {
    let script = (0..500).map(|n| format!("for(i=0;i<n{n};i++)if(a<b)c+='<div class=x>';")).collect::<String>();
    let commented = "<!-- <div> <section> -->".repeat(300);
    let style = format!("<style>{}</style><textarea>{}</textarea>", "/* <b> */".repeat(300), "<i>".repeat(300));
    let drawing = "<svg><title>Plan</title><g><path d='M0 0'/></g></svg>".repeat(300);
    let anchors = "<a name=x>".repeat(300);
    let document = page(&format!(
        "<SCRIPT>{script}</SCRIPT>{style}{commented}<p>{anchors}Words that stay.</p>{drawing}<script>{script}</script>"
    ));
    assert_eq!(document.text.trim(), "Words that stay.");
}

#[test]
fn what_is_open_is_counted_wherever_it_stands() {
    let deep = "<b>".repeat(300);
    for hidden in [
        format!("<p>x</p>{deep}"),
        format!("<!-- --!>{deep}<!-- -->"),
        format!("<!-->{deep}<!-- -->"),
        format!("<script></script>{deep}<script></script>"),
        // In a drawing a style holds elements.
        format!("<svg><style>{}</style></svg>", "<g>".repeat(300)),
        "<svg>".to_owned() + &"<style>".repeat(300),
    ] {
        let fault = parse("x.html", &hidden).unwrap_err();
        assert_eq!(fault, crate::ParseFault::TooDeep { limit: 200 }, "{}", &hidden[..40]);
    }
    // What is begun again and again and never ends comes to an end all the same.
    for endless in ["<script>", "<!--", "<style><!--", "<textarea></textare", "<title"] {
        let _ = parse("x.html", format!("<p>Words.</p>{}", endless.repeat(100_000)));
    }
}
