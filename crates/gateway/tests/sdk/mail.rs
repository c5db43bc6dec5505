//! Programs that hand mail in by SMTP, with the libraries that they would use.

use std::path::Path;

use gateway::SpoolLimits;
use ledger::Settled;
use model::{FieldSet, Switch};

use crate::office::{self, Office};
use crate::run_by;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

#[tokio::test]
async fn nodemailer_hands_mail_in_and_understands_refusals() {
    check("node", "nodemailer.mjs").await;
}

#[tokio::test]
async fn smtplib_hands_mail_in_and_understands_refusals() {
    check("python3", "smtplib_mail.py").await;
}

async fn check(program: &str, script: &str) {
    let script = Path::new(SCRIPTS).join(script);
    let mut office = Office::with(|_| (), SpoolLimits::default()).await;
    let certificate = office.house.ledger_dir.path().join("smtp.pem");
    std::fs::write(&certificate, &office.certificate).expect("written");
    let certificate = certificate.to_str().expect("the folder's name is text").to_owned();
    let door = [("CORDON_SMTP_PORT", office.door.to_string()), ("CORDON_SMTP_CA", certificate)];
    let said = run_by(&office.house, program, &script, "", &door).await;
    let [said] = said.as_slice() else { panic!("one line: {said:?}") };
    assert_eq!(said["accepted"], 3, "{said}");
    let reply = said["reply"].as_str().expect("text");
    assert!(reply.starts_with("250 2.0.0 kept as cal_"), "{reply}");
    office.post.asked(3).await;
    office.emptied().await;
    let mut to: Vec<_> = office.post.got().iter().map(|mail| mail.recipients.clone()).collect();
    to.sort();
    assert_eq!(to, [["ann@example.com"], ["bob@example.com"], ["eve@example.com"]]);
    for mail in office.post.got() {
        let (head, body) = office::parts(&mail);
        assert!(head.contains("X-Cordon-Ref: c1.") && head.contains("\"cordon_ref\":\"c1."));
        assert!(!head.contains("eve@") && !head.contains("X-Cordon-Purpose"), "{head}");
        let text = String::from_utf8_lossy(&body);
        assert!(text.contains("Thank you, Ann.") && text.contains("receipt.pdf"), "{text}");
    }
    let fields = FieldSet::parse("email,name,content,attachment").expect("fields");
    let rows = office.house.disclosures();
    assert!(rows.iter().any(|row| row.fields == fields), "what Ann's copy says of her");
    assert!(rows.iter().all(|row| row.settled == Settled::Sent));

    office.house.switch(Switch::Stop);
    let said = run_by(&office.house, program, &script, "", &door).await;
    let [said] = said.as_slice() else { panic!("one line: {said:?}") };
    assert_eq!(said["code"], 550, "{said}");
    assert!(said["reply"].as_str().is_some_and(|reply| reply.contains("vendor-stopped")), "{said}");
    assert_eq!(office.post.got().len(), 3, "nothing leaves after the cut");
}
