//! boto3 puts a table over TLS: in chunks, with their checksum behind them.

use std::path::Path;

use model::Field;

use crate::support::{Act, FakeVendor, Setup, reply};
use crate::{house, run_by, tunnel};

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/s3_put.py");
const KEY: &str = "AKIAAAAAAAAAAAAAAAAA:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

#[tokio::test]
async fn boto3_puts_a_table_in_chunks_and_the_vendor_gets_it_whole_with_its_checksum() {
    let vendor = FakeVendor::start(|_| Act::Reply(reply("200 OK", "etag: \"1\"\r\n", ""))).await;
    let setup = Setup::of("s3", KEY, vendor.url());
    let house = house(Setup { fields: Field::ALL.iter().copied().collect(), ..setup }).await;
    let way = tunnel(&house).await;
    let said = run_by(&house, "python3", Path::new(SCRIPT), "", &way).await;
    assert_eq!(said.first().expect("a line")["encoding"], "aws-chunked", "{said:?}");

    let got = vendor.got();
    let [put] = got.as_slice() else { panic!("one request: {got:?}") };
    assert_eq!(put.body, b"email,name\r\nann@example.com,Ann Lee\r\nbob@example.com,Bob\r\n");
    assert_eq!(put.header("x-amz-checksum-crc32").len(), 1, "{}", put.head);
    for gone in ["content-encoding", "x-amz-trailer", "x-amz-decoded-content-length"] {
        assert!(put.header(gone).is_empty(), "{}", put.head);
    }
    assert_eq!(house.disclosures().len(), 2, "each row is a person");
}
