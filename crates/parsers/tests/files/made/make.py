"""Makes the files of this folder: `make.py [NAME...]`. README.md says with which programs."""

import io
import subprocess
import sys
import tempfile
from datetime import date, datetime, time
from pathlib import Path

HERE = Path(__file__).parent
WORK = Path(tempfile.mkdtemp())
THINGS = {}


def makes(function):
    THINGS[function.__name__] = function
    return function


def office(source, ending, target, filter_name=None):
    """LibreOffice writes `source` anew in another format."""
    to = ending if filter_name is None else f"{ending}:{filter_name}"
    profile = f"-env:UserInstallation=file://{WORK}/profile"
    subprocess.run(
        ["soffice", profile, "--headless", "--convert-to", to, "--outdir", str(WORK / "out"), str(source)],
        check=True, capture_output=True,
    )
    (HERE / target).write_bytes((WORK / "out" / f"{Path(source).stem}.{ending}").read_bytes())


LANGUAGES = [
    ("Greek", "Καλημέρα στη μεγάλη αίθουσα."),
    ("Chinese", "会议在星期三上午开始。"),
    ("Japanese", "会議は水曜日に始まります。"),
    ("Arabic", "يبدأ الاجتماع يوم الأربعاء"),
    ("Vietnamese", "Cuộc họp bắt đầu lúc chín giờ."),
    # Letters whose accents are signs of their own.
    ("Combining", "re\u0301sume\u0301 nai\u0308ve"),
]


@makes
def writer():
    """A flat OpenDocument text, saved by Writer as everything it can save."""
    languages = "".join(f'<text:p text:style-name="Standard">{name}: {text}</text:p>' for name, text in LANGUAGES)
    cell = '<table:table-cell office:value-type="string"{}><text:p>{}</text:p></table:table-cell>'
    covered = "<table:covered-table-cell/>"
    rows = [
        cell.format("", "Store") + cell.format(' table:number-columns-spanned="2"', "Harvest") + covered,
        cell.format(' table:number-rows-spanned="2"', "North") + cell.format("", "spring") + cell.format("", "12 t"),
        covered + cell.format("", "autumn") + cell.format("", "31 t"),
        cell.format("", "South") + cell.format("", "spring") + cell.format("", "9 t"),
        cell.format(' table:number-columns-spanned="2"', "both stores") + covered + cell.format("", "52 t"),
    ]
    table = "".join(f"<table:table-row>{row}</table:table-row>" for row in rows)
    item = "<text:list-item><text:p>{}</text:p>{}</text:list-item>"
    inner = '<text:list>' + item.format("shake the sieve", "") + item.format("weigh what is left", "") + "</text:list>"
    when = "<dc:creator>Mira</dc:creator><dc:date>2024-05-06T07:08:09</dc:date>"
    source = f"""<?xml version="1.0" encoding="UTF-8"?>
<office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0"
 xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0" xmlns:style="urn:oasis:names:tc:opendocument:xmlns:style:1.0"
 xmlns:fo="urn:oasis:names:tc:opendocument:xmlns:xsl-fo-compatible:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0"
 xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" xmlns:xlink="http://www.w3.org/1999/xlink"
 xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:meta="urn:oasis:names:tc:opendocument:xmlns:meta:1.0"
 office:version="1.3" office:mimetype="application/vnd.oasis.opendocument.text">
<office:meta><dc:title>The granary</dc:title></office:meta>
<office:styles>
 <style:style style:name="Standard" style:family="paragraph"><style:text-properties fo:font-size="11pt"/></style:style>
 <style:style style:name="Heading" style:family="paragraph" style:parent-style-name="Standard"/>
 <style:style style:name="Heading_20_1" style:display-name="Heading 1" style:family="paragraph" style:parent-style-name="Heading" style:default-outline-level="1"><style:text-properties fo:font-size="18pt" fo:font-weight="bold"/></style:style>
 <style:style style:name="Heading_20_2" style:display-name="Heading 2" style:family="paragraph" style:parent-style-name="Heading" style:default-outline-level="2"><style:text-properties fo:font-size="14pt" fo:font-weight="bold"/></style:style>
 <style:style style:name="Chapter" style:family="paragraph" style:parent-style-name="Heading_20_2"><style:text-properties fo:color="#803000"/></style:style>
 <text:notes-configuration text:note-class="footnote" style:num-format="1"/>
</office:styles>
<office:automatic-styles>
 <style:style style:name="Stops" style:family="paragraph" style:parent-style-name="Standard"><style:paragraph-properties><style:tab-stops><style:tab-stop style:position="4cm"/><style:tab-stop style:position="9cm"/></style:tab-stops></style:paragraph-properties></style:style>
 <style:style style:name="Next" style:family="paragraph" style:parent-style-name="Heading_20_1" style:default-outline-level="1"><style:paragraph-properties fo:break-before="page"/></style:style>
 <text:list-style style:name="Dots"><text:list-level-style-bullet text:level="1" text:bullet-char="•"/><text:list-level-style-bullet text:level="2" text:bullet-char="–"/></text:list-style>
 <style:page-layout style:name="Sheet"><style:page-layout-properties fo:page-width="21cm" fo:page-height="29.7cm" fo:margin="2cm"/><style:header-style/><style:footer-style/></style:page-layout>
</office:automatic-styles>
<office:master-styles><style:master-page style:name="Standard" style:page-layout-name="Sheet">
 <style:header><text:p>Running head of the granary</text:p></style:header>
 <style:footer><text:p>Page <text:page-number>1</text:page-number></text:p></style:footer>
</style:master-page></office:master-styles>
<office:body><office:text>
<text:tracked-changes text:track-changes="false">
 <text:changed-region text:id="in"><text:insertion><office:change-info>{when}</office:change-info></text:insertion></text:changed-region>
 <text:changed-region text:id="out"><text:deletion><office:change-info>{when}</office:change-info><text:p>four</text:p></text:deletion></text:changed-region>
</text:tracked-changes>
<text:h text:style-name="Heading_20_1" text:outline-level="1"><text:bookmark text:name="keeping"/>Keeping grain</text:h>
<text:p text:style-name="Standard">Grain is dried for <text:change text:change-id="out"/><text:change-start text:change-id="in"/>five<text:change-end text:change-id="in"/> days<text:note text:note-class="footnote"><text:note-citation>1</text:note-citation><text:note-body><text:p>Six in a wet year.</text:p></text:note-body></text:note>, see <text:a xlink:type="simple" xlink:href="https://grain.example/drying?from=a&amp;to=b">how it is dried</text:a><office:annotation><dc:creator>Mira</dc:creator><dc:date>2024-05-06T07:08:09</dc:date><text:p>Is this still so?</text:p></office:annotation>. It is turned over each morning with a wooden shovel, so that what lay below comes to lie on top and no part of it grows warm.</text:p>
<text:p text:style-name="Stops">Moisture<text:tab/>14 %<text:tab/>at most</text:p>
<text:p text:style-name="Standard">The twenty‑one bins are re­filled in order<text:note text:note-class="endnote"><text:note-citation>i</text:note-citation><text:note-body><text:p>Bin seven stays empty.</text:p></text:note-body></text:note>.<text:line-break/>Nobody walks on the grain.</text:p>
<text:h text:style-name="Chapter" text:outline-level="2">Sieving</text:h>
<text:list text:style-name="Dots">{item.format("take a sample", inner)}{item.format("write it down", "")}</text:list>
<text:p text:style-name="Standard">Around the box.<draw:frame draw:name="Box" text:anchor-type="paragraph" svg:x="9cm" svg:y="-2.6cm" svg:width="5cm" draw:z-index="0"><draw:text-box fo:min-height="1cm"><text:p>Keep the door shut.</text:p></draw:text-box></draw:frame></text:p>
<table:table table:name="Harvest"><table:table-column table:number-columns-repeated="3"/>{table}</table:table>
<text:h text:style-name="Next" text:outline-level="1">Languages</text:h>
{languages}
<text:p text:style-name="Standard">Back to <text:a xlink:type="simple" xlink:href="#keeping">the beginning</text:a>.</text:p>
</office:text></office:body></office:document>
"""
    flat = WORK / "granary.fodt"
    flat.write_text(source)
    office(flat, "docx", "writer.docx")
    # In print what was struck out would be words like all others.
    printed = WORK / "printed.fodt"
    printed.write_text(source.replace('<text:change text:change-id="out"/>', ""))
    office(printed, "pdf", "writer.pdf")
    short = WORK / "unread.txt"
    short.write_text("A text in a format that is not read.\n")
    for ending in ("odt", "rtf", "doc"):
        office(short, ending, f"unread.{ending}")
    from msoffcrypto.format.ooxml import OOXMLFile

    with (HERE / "writer.docx").open("rb") as plain, (HERE / "locked.docx").open("wb") as locked:
        OOXMLFile(plain).encrypt("open sesame", locked)


@makes
def python_docx():
    import docx
    from docx.enum.style import WD_STYLE_TYPE

    document = docx.Document()
    document.core_properties.title = "Rules of the workshop"
    document.styles.add_style("Chapter", WD_STYLE_TYPE.PARAGRAPH).base_style = document.styles["Heading 1"]
    document.sections[0].header.paragraphs[0].text = "Running head of the workshop"
    document.sections[0].footer.paragraphs[0].text = "Foot of the workshop"
    document.add_heading("Workshop", 0)
    document.add_paragraph("Tools & benches", style="Chapter")
    commented = document.add_paragraph("Every bench has a ")
    run = commented.add_run("lamp")
    commented.add_run(" <and> a \"vice\".")
    document.add_comment(run, text="Which one?", author="Mira", initials="M")
    for text, style in [("saws", "List Bullet"), ("hand saw", "List Bullet 2"), ("first wash", "List Number"), ("words", "Intense Quote")]:
        document.add_paragraph(text, style=style)
    document.add_heading("Opening hours", 2)
    table = document.add_table(rows=4, cols=3)
    for row, texts in enumerate([("Day", "From", "To"), ("Monday", "8:00", "17:00"), ("", "18:00", "20:00"), ("Sunday, holidays", "", "closed")]):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(1, 0).merge(table.cell(2, 0))
    table.cell(3, 0).merge(table.cell(3, 1))
    inner = table.cell(0, 2).add_table(rows=1, cols=2)
    inner.cell(0, 0).text, inner.cell(0, 1).text = "(summer)", "(winter)"
    document.add_page_break()
    document.add_heading("Σχέδια", 1)
    document.add_paragraph("日本語の段落。")
    document.save(HERE / "python-docx.docx")


@makes
def pandoc():
    source = """---
title: Notes on bees
---

# The hive

Bees dance[^1] to tell *where* the [flowers](https://bees.example/dance) are; see [the season](#season).

[^1]: In figures of eight.

1. open the lid
    a. look
    b. wait

        A second paragraph of the item.
2. close it

Queen

:   the mother of all

```python
def count(bees):
    return len(bees)
```

> Many hands, light work.

## Season {#season}

| Month | Honey |
|-------|------:|
| May   |  3 kg |
| June  | 11 kg |

: What was taken

With $E = mc^2$ and ~~no~~ H~2~O.
"""
    subprocess.run(["pandoc", "-f", "markdown", "-o", str(HERE / "pandoc.docx")], input=source.encode(), check=True)


LOCKING = """
import sys, time, uno
from com.sun.star.beans import PropertyValue
resolver = uno.getComponentContext().ServiceManager.createInstance("com.sun.star.bridge.UnoUrlResolver")
for _ in range(60):
    try:
        context = resolver.resolve("uno:pipe,name=made;urp;StarOffice.ComponentContext")
        break
    except Exception:
        time.sleep(0.5)
desktop = context.ServiceManager.createInstanceWithContext("com.sun.star.frame.Desktop", context)
said = lambda **values: tuple(PropertyValue(Name=name, Value=value) for name, value in values.items())
document = desktop.loadComponentFromURL("file://" + sys.argv[1], "_blank", 0, said(Hidden=True))
for filter_name, target in zip(sys.argv[2::2], sys.argv[3::2]):
    document.storeToURL("file://" + target, said(FilterName=filter_name, Password="open sesame"))
document.close(False)
desktop.terminate()
"""


def locked_sheets():
    """Calc asks for a password only where it is spoken to; python3-uno is the system's."""
    profile = f"-env:UserInstallation=file://{WORK}/profile"
    server = subprocess.Popen(["soffice", profile, "--headless", "--accept=pipe,name=made;urp"])
    targets = ["calc8", str(HERE / "locked.ods"), "MS Excel 97", str(HERE / "locked.xls")]
    subprocess.run(["/usr/bin/python3", "-c", LOCKING, str(HERE / "calc.ods"), *targets], check=True)
    server.wait()


def workbook():
    import openpyxl
    from openpyxl.comments import Comment

    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Sales 2024"
    rows = [
        ("Sales of the mill", None, None, None, None),
        ("Day", "What", "Bags", "Price", "Sum"),
        (date(2024, 1, 31), "rye flour", 3, 7.5, "=C3*D3"),
        (datetime(2024, 2, 29, 9, 30), "小麦粉", 12, 6.25, "=C4*D4"),
        (date(1999, 12, 31), "دقيق", 1, 1234.5, "=C5*D5"),
        ("all", None, "=SUM(C3:C5)", None, "=SUM(E3:E5)"),
        ("share", None, "=C3/C6", None, "=E6/0"),
        ("opens", time(8, 15), True, "=IF(C6>10,\"many\",\"few\")", "=A3+30"),
    ]
    for row in rows:
        sheet.append(row)
    sheet.merge_cells("A1:E1")
    sheet["C7"].number_format = "0.0%"
    sheet["E8"].number_format = "yyyy-mm-dd"
    for cell in ("D3", "D4", "D5", "E3", "E4", "E5", "E6"):
        sheet[cell].number_format = '#,##0.00 "€"'
    sheet["B3"].comment = Comment("Sold by the bag.", "Mira")
    sheet["B3"].hyperlink = "https://mill.example/rye"
    sheet["B4"].value = "小麦粉"
    shifts = book.create_sheet("Shifts")
    shifts.append(["Who", "Notes"])
    shifts.append(["Ada", "first line\nsecond line"])
    shifts.append(["Bo|b", "  two  blanks "])
    shifts["D9"] = "far away"
    kept = book.create_sheet("Wages")
    kept.append(["Ada", 3000])
    kept.sheet_state = "hidden"
    very = book.create_sheet("Settings")
    very.append(["rate", 0.19])
    very.sheet_state = "veryHidden"
    book.create_sheet("Nothing")
    return book


@makes
def sheets():
    """A workbook by openpyxl, whose formulas nobody has counted out, and the same saved by Calc."""
    from msoffcrypto.format.ooxml import OOXMLFile
    import xlsxwriter

    book = workbook()
    book.save(HERE / "openpyxl.xlsx")
    source = WORK / "calc.xlsx"
    source.write_bytes((HERE / "openpyxl.xlsx").read_bytes())
    office(source, "ods", "calc.ods")
    for ending, name in [("xlsx", "Calc MS Excel 2007 XML"), ("xls", "MS Excel 97")]:
        office(source, ending, f"calc.{ending}", name)
    with (HERE / "calc.xlsx").open("rb") as plain, (HERE / "locked.xlsx").open("wb") as locked:
        OOXMLFile(plain).encrypt("open sesame", locked)
    locked_sheets()

    book = xlsxwriter.Workbook(HERE / "xlsxwriter.xlsx")
    sheet = book.add_worksheet("Log")
    bold, euro, length = book.add_format({"bold": True}), book.add_format({"num_format": "#,##0.00 [$€-407]"}), book.add_format({"num_format": "[h]:mm:ss"})
    sheet.write_row(0, 0, ["What", "Value"])
    sheet.write_rich_string("A2", "half ", bold, "bold", " words")
    sheet.write_formula("B2", "=6*7", None, 42)
    sheet.write("A3", "price")
    sheet.write_number("B3", 19.9, euro)
    sheet.write("A4", "took")
    sheet.write_number("B4", 1.5, length)
    sheet.write("A5", "part")
    sheet.write_formula("B5", '="n"&"o"', None, "no")
    sheet.merge_range("A6:B6", "end of the log")
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "=Log!$B$2:$B$4"})
    book.add_chartsheet("Curve").set_chart(chart)
    book.close()


def bare(deck):
    """Layouts that no slide has make the file large."""
    for layout in list(deck.slide_layouts):
        if not layout.used_by_slides:
            deck.slide_layouts.remove(layout)


def deck_of(layouts):
    from pptx import Presentation
    from pptx.util import Inches

    deck = Presentation()
    layouts = iter([deck.slide_layouts[layout] for layout in layouts])
    deck.core_properties.title = "How the mill runs"
    slide = deck.slides.add_slide(next(layouts))
    slide.shapes.title.text, slide.placeholders[1].text = "The mill", "an introduction"
    slide.notes_slide.notes_text_frame.text = "Welcome everybody.\nWait for silence."
    slide = deck.slides.add_slide(next(layouts))
    slide.shapes.title.text = "Stones & wheels"
    frame = slide.placeholders[1].text_frame
    frame.text = "two stones"
    for level, text in [(1, "upper one turns"), (1, "lower one lies"), (0, "one wheel")]:
        paragraph = frame.add_paragraph()
        paragraph.text, paragraph.level = text, level
    box = slide.shapes.add_textbox(Inches(1), Inches(6), Inches(3), Inches(1))
    box.text_frame.text = "Mind the "
    run = box.text_frame.paragraphs[0].add_run()
    run.text, run.hyperlink.address = "gap", "https://mill.example/gap"
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(Inches(5), Inches(6), Inches(2), Inches(1)).text_frame.text = "In a group"
    slide = deck.slides.add_slide(next(layouts))
    slide.shapes.title.text = "Output"
    table = slide.shapes.add_table(4, 3, Inches(1), Inches(2), Inches(6), Inches(2)).table
    for row, texts in enumerate([("Mill", "Output", ""), ("Upper", "spring", "12 t"), ("", "autumn", "31 t"), ("Lower", "spring", "9 t")]):
        for column, text in enumerate(texts):
            table.cell(row, column).text = text
    table.cell(0, 1).merge(table.cell(0, 2))
    table.cell(1, 0).merge(table.cell(2, 0))
    slide = deck.slides.add_slide(next(layouts))
    slide.shapes.add_textbox(Inches(1), Inches(1), Inches(4), Inches(1)).text_frame.text = "ملحق 附录"
    slide._element.set("show", "0")
    # The last comes to stand before the table.
    order = deck.slides._sldIdLst
    order.insert(2, order[3])
    bare(deck)
    return deck


@makes
def slides():
    """A deck by python-pptx, and one saved by Impress, which keeps a dozen layouts for each one that is used."""
    from pptx import Presentation
    from pptx.util import Inches

    deck_of([0, 1, 5, 6]).save(HERE / "python-pptx.pptx")
    deck_of([1, 1, 1, 1]).save(WORK / "impress.pptx")
    office(WORK / "impress.pptx", "odp", "unread.odp")
    office(HERE / "unread.odp", "pptx", "impress.pptx")

    inner = io.BytesIO((HERE / "writer.docx").read_bytes())
    deck = Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[5])
    slide.shapes.title.text = "With a letter"
    slide.shapes.add_ole_object(inner, "Word.Document.12", Inches(1), Inches(2))
    bare(deck)
    deck.save(HERE / "letter-in-deck.pptx")


@makes
def weasyprint():
    """Two columns with hyphens and ligatures under one heading across, links, an outline, a table over two pages."""
    import weasyprint

    words = (
        "The officer of the watch filed the first official affidavit with difficulty. Five staff offices were baffled "
        "by the flood of coffee, and the waffles were effectively finished. "
    )
    rows = "".join(f"<tr><td>reading {n}</td><td>{n * 7} flasks</td></tr>" for n in range(1, 31))
    languages = "".join(f"<p>{name}: {text}</p>" for name, text in LANGUAGES)
    html = f"""<html lang="en"><head><title>Affidavits</title><style>
      @page {{ size: A4; margin: 2cm; @top-center {{ content: "Running head"; font-size: 8pt }} @bottom-center {{ content: counter(page); font-size: 8pt }} }}
      body {{ font: 11pt "DejaVu Serif", "Amiri", "WenQuanYi Micro Hei"; }} .two {{ columns: 2; hyphens: auto; text-align: justify }}
      h1 {{ font-size: 22pt }} h2 {{ font-size: 15pt; break-after: avoid }} .next {{ break-before: page }}
    </style></head><body><h1 id="top">Of affidavits</h1>
    <div class="two"><p>LEFT begins here. {words * 5}</p><p>{words * 5}</p><p>{words * 5}</p><p>{words * 5} RIGHT ends here.</p></div>
    <h2>Readings</h2><table><tr><th>Name</th><th>Value</th></tr>{rows}</table>
    <h2 class="next">Languages</h2>{languages}<p>Back to <a href="#top">the top</a> or <a href="https://law.example/">the law</a>.</p>
    </body></html>"""
    weasyprint.HTML(string=html).write_pdf(HERE / "weasyprint.pdf")


def page_of_text(canvas, heading, lines):
    canvas.setFont("Helvetica-Bold", 18)
    canvas.drawString(72, 760, heading)
    canvas.setFont("Helvetica", 11)
    for at, line in enumerate(lines):
        canvas.drawString(72, 730 - 14 * at, line)
    canvas.showPage()


@makes
def reportlab():
    """A page of text and a scan of one; the same under an owner's password, and under one that opens it."""
    from PIL import Image, ImageDraw, ImageFont
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    scan = Image.new("1", (620, 877), 1)
    font = ImageFont.truetype("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", 22)
    for at in range(20):
        ImageDraw.Draw(scan).text((60, 60 + 36 * at), f"Line {at + 1} of a page that was scanned", font=font, fill=0)
    lines = ["Receipts are kept for ten years.", "Naïve façade costs 12 € – “all in”."]
    for name, encryption in [
        ("scan.pdf", None),
        ("owner-locked.pdf", StandardEncryption("", "owner", canPrint=0, strength=128)),
        ("locked.pdf", StandardEncryption("open sesame", "owner", strength=128)),
    ]:
        canvas = Canvas(str(HERE / name), pagesize=(595, 842), encrypt=encryption, invariant=1)
        canvas.setTitle("Receipts")
        canvas.bookmarkPage("first")
        canvas.addOutlineEntry("Keeping receipts", "first")
        page_of_text(canvas, "Keeping receipts", lines)
        if encryption is None:
            canvas.drawImage(ImageReader(scan), 0, 0, 595, 842)
            canvas.showPage()
            page_of_text(canvas, "Afterwards", ["They are burnt."])
        canvas.save()
    # As most programs lock files now: AES with keys of 256 bits.
    import pikepdf

    with pikepdf.open(HERE / "owner-locked.pdf") as document:
        document.save(HERE / "owner-locked-aes.pdf", encryption=pikepdf.Encryption(owner="owner", user="", R=6))
        document.save(HERE / "locked-aes.pdf", encryption=pikepdf.Encryption(owner="owner", user="open sesame", R=6))
        # Objects in streams, and the table of them too.
        document.save(HERE / "object-streams.pdf", object_stream_mode=pikepdf.ObjectStreamMode.generate, linearize=True)


@makes
def fpdf2():
    from fpdf import FPDF

    document = FPDF()
    document.set_title("Tides")
    document.add_font("DejaVu", fname="/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf")
    document.add_font("DejaVu", style="B", fname="/usr/share/fonts/truetype/dejavu/DejaVuSans-Bold.ttf")
    document.add_font("Micro Hei", fname="/usr/share/fonts/truetype/wqy/wqy-microhei.ttc")
    document.add_page()
    document.set_font("DejaVu", size=20)
    document.start_section("Tides of the bay")
    document.cell(text="Tides of the bay", new_x="LMARGIN", new_y="NEXT")
    document.set_font("DejaVu", size=11)
    document.multi_cell(0, text="The water falls by 3½ m – naïve bathers wait.", new_x="LMARGIN", new_y="NEXT")
    with document.table() as table:
        for texts in [("Day", "High", "Low"), ("Monday", "6:12", "12:20"), ("Tuesday", "7:01", "13:09")]:
            row = table.row()
            for text in texts:
                row.cell(text)
    document.add_page()
    document.set_font("Micro Hei", size=11)
    document.multi_cell(0, text="潮汐表\n满潮在六点。", new_x="LMARGIN", new_y="NEXT")
    document.output(HERE / "fpdf2.pdf")


@makes
def groff():
    """Two columns in Times, hyphens at the ends of lines, ligatures, as manuals and papers look."""
    words = (
        "An efficient windmill differs from an inefficient one in its configuration. Nevertheless, international "
        "organisations recommend considerable experimentation before installation. "
    )
    source = f""".TL
Windmills
.AU
Mira Example
.AB
Of sails and stones.
.AE
.2C
.NH 1
Sails
.PP
ALPHA {words * 12}MIDDLE
.NH 1
Stones
.PP
{words * 20}OMEGA
"""
    made = subprocess.run(["groff", "-Tpdf", "-ms"], input=source.encode(), check=True, capture_output=True)
    (HERE / "groff.pdf").write_bytes(made.stdout)


@makes
def typst():
    import typst as compiler

    source = """#set document(title: "Bridges")
#set page(paper: "a5", header: align(right)[Running head], numbering: "1")
#set heading(numbering: "1.1")
#set par(justify: true)
#outline()
= Arches <arches>
An arch#footnote[Of stone.] carries what stands on it. See @ropes and #link("https://bridge.example")[the plan].
== Keystones
+ cut the stone
  + with a saw
+ lift it
#table(columns: 3, [Bridge], [Span], [Built], table.cell(rowspan: 2)[Old], [12 m], [1702], [15 m], [1811], [New], table.cell(colspan: 2)[under way])
#pagebreak()
= Ropes <ropes>
$ sum_(k=1)^n k = (n(n+1)) / 2 $
Ropes fray; the office of works finds first flaws.
"""
    path = WORK / "bridges.typ"
    path.write_text(source)
    compiler.compile(str(path), output=str(HERE / "typst.pdf"))


if __name__ == "__main__":
    for name in sys.argv[1:] or THINGS:
        THINGS[name]()
