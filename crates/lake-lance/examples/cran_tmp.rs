#![allow(warnings)]
use std::{collections::HashMap, sync::Arc, time::Instant};
use arrow_array::{cast::AsArray, RecordBatch, StringArray};
use arrow_schema::{DataType, Field, Schema};
use mainspring_lake::*;
use mainspring_lake_lance::*;
fn sections(text: &str) -> Vec<HashMap<char, String>> {
    let mut out: Vec<HashMap<char, String>> = vec![]; let mut cur = 'I';
    for line in text.lines() {
        if let Some(id) = line.strip_prefix(".I ") { out.push(HashMap::from([('I', id.trim().to_owned())])); cur = 'I'; continue; }
        if line.len() == 2 && line.starts_with('.') { cur = line.chars().nth(1).unwrap(); continue; }
        let e = out.last_mut().unwrap().entry(cur).or_default(); e.push_str(line); e.push(' ');
    }
    out
}
#[tokio::main]
async fn main() {
    let dir = "/work/shared/data/cranfield";
    let docs = sections(&std::fs::read_to_string(format!("{dir}/cran.all.1400")).unwrap());
    let qs = sections(&std::fs::read_to_string(format!("{dir}/cran.qry")).unwrap());
    let mut rel: HashMap<(usize, String), f64> = HashMap::new();
    for line in std::fs::read_to_string(format!("{dir}/cranqrel")).unwrap().lines() {
        let p: Vec<&str> = line.split_whitespace().collect(); if p.len() < 3 { continue; }
        let r: i32 = p[2].parse().unwrap(); let g = if r >= 1 { (5 - r) as f64 } else { 1.0 };
        rel.insert((p[0].parse().unwrap(), p[1].to_owned()), g);
    }
    let t = tempfile::tempdir().unwrap();
    let lake = LanceLake::open(LanceConfig::new(LakeLocation::Local(t.path().into()))).await.unwrap();
    let schema = Arc::new(Schema::new(vec![Field::new("id", DataType::Utf8, false), Field::new("text", DataType::Utf8, true)]));
    let table = lake.open(&"c".parse().unwrap(), &TableSpec { schema: schema.clone(), indexes: vec![IndexSpec { column: "text".into(), kind: IndexKind::Text }] }).await.unwrap();
    let ids: Vec<String> = docs.iter().map(|d| d[&'I'].clone()).collect();
    let texts: Vec<String> = docs.iter().map(|d| d.get(&'W').cloned().unwrap_or_default()).collect();
    table.append(RecordBatch::try_new(schema, vec![Arc::new(StringArray::from(ids)), Arc::new(StringArray::from(texts))]).unwrap()).await.unwrap();
    for round in 0..2 {
        let (mut sum, mut n, mut hit) = (0.0, 0, 0.0); let start = Instant::now();
        for (i, q) in qs.iter().enumerate() {
            let hits = table.matching(TextQuery { column: "text".into(), words: q[&'W'].clone(), limit: 10, filter: Filter::All }).await.unwrap();
            let rows: Vec<u64> = hits.rows.iter().map(|r| r.0).collect();
            let b = table.take(&rows, &["id"]).await.unwrap();
            let got: Vec<f64> = b.column(0).as_string::<i32>().iter().map(|id| *rel.get(&(i + 1, id.unwrap().to_owned())).unwrap_or(&0.0)).collect();
            let mut ideal: Vec<f64> = rel.iter().filter(|((q, _), _)| *q == i + 1).map(|(_, g)| *g).collect();
            ideal.sort_by(|a, b| b.total_cmp(a));
            let dcg = |g: &[f64]| g.iter().take(10).enumerate().map(|(i, g)| g / ((i + 2) as f64).log2()).sum::<f64>();
            if dcg(&ideal) > 0.0 { sum += dcg(&got) / dcg(&ideal); n += 1; }
        }
        println!("round {round}: nDCG@10 {:.4} over {n}, {:.1} ms/query", sum / n as f64, start.elapsed().as_secs_f64() * 1e3 / qs.len() as f64);
        let s = Instant::now(); table.upkeep(&UpkeepPolicy { fragments: 1, unindexed_rows: 1, ..Default::default() }).await.unwrap(); println!("upkeep {:?}", s.elapsed());
    }
}
