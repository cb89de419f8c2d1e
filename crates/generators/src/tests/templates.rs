use mainspring_llm::{Message, chat::Speaker};
use proptest::prelude::*;

use crate::template::{ChatTemplate, TemplateFault};

fn template(source: &str) -> ChatTemplate {
    ChatTemplate::new(source.to_owned(), "<s>".to_owned(), "</s>".to_owned()).unwrap()
}

fn talk() -> Vec<Message> {
    vec![Message::system("be brief"), Message::user(" hi \n"), Message::new(Speaker::Assistant, "yes?"), Message::user("why")]
}

#[track_caller]
fn check(source: &str, want: &str) {
    assert_eq!(template(source).render(&talk()).unwrap(), want);
}

#[test]
fn templates_of_known_families_render_as_python_does() {
    check(
        "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}",
        "<|im_start|>system\nbe brief<|im_end|>\n<|im_start|>user\n hi \n<|im_end|>\n<|im_start|>assistant\nyes?<|im_end|>\n<|im_start|>user\nwhy<|im_end|>\n<|im_start|>assistant\n",
    );
    check(
        "{{ bos_token }}{% for m in messages %}\n    {% if m.role == 'user' %}\n[INST] {{ m.content.strip() }} [/INST]\n    {%- elif m.role == 'assistant' %}\n{{ m.content | trim + eos_token }}\n    {%- endif %}\n{% endfor %}",
        "<s>[INST] hi [/INST]yes?</s>[INST] why [/INST]",
    );
    check(
        "{% set ns = namespace(n=0) %}{% for m in messages %}{% if loop.index0 == 2 %}{% break %}{% endif %}{% set ns.n = ns.n + 1 %}{% endfor %}{{ ns.n }}",
        "2",
    );
    check(
        "{{ messages[0].content.split(' ')[-1].upper() }}{{ messages[0].get('tool_calls') is none }}{{ tools is defined }}",
        "BRIEFTrueFalse",
    );
    check("{% for k, v in messages[0].items() %}{{ k }}={{ v }};{% endfor %}", "content=be brief;role=system;");
    check(
        "{{ messages | length }}{{ messages[-1].content.startswith('wh') }}{{ messages[1].content | tojson }}",
        "4True\" hi \\n\"",
    );
}

#[test]
fn a_template_may_refuse_and_says_why() {
    let refusing = template("{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}");
    assert_eq!(refusing.render(&talk()), Err(TemplateFault::Refused("System role not supported".to_owned())));
    assert_eq!(refusing.render(&talk()[1..]), Ok(String::new()));
}

#[test]
fn a_hostile_template_ends_and_a_broken_one_is_named() {
    let endless = template("{% for a in range(100000) %}{% for b in range(100000) %}{{ a * b }}{% endfor %}{% endfor %}");
    assert!(matches!(endless.render(&talk()), Err(TemplateFault::Broken(_))));
    assert!(matches!(template("{{ messages.nothing() }}").render(&talk()), Err(TemplateFault::Broken(_))));
    assert!(matches!(template("{% include '/etc/passwd' %}").render(&talk()), Err(TemplateFault::Broken(_))));
    let fault = ChatTemplate::new("{% if %}".to_owned(), String::new(), String::new()).unwrap_err();
    assert!(matches!(fault, TemplateFault::Broken(_)));
}

proptest! {
    #[test]
    fn any_template_renders_or_is_a_fault(source in "(\\{\\{|\\}\\}|\\{%|%\\}|[a-z .'()|\\[\\]0-9]){0,30}") {
        if let Ok(template) = ChatTemplate::new(source, String::new(), String::new()) {
            let _ = template.render(&talk());
        }
    }
}
