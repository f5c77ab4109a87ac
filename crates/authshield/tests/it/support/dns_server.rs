//! A name server on loopback that says what a test wants the world to be told.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, MessageType, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, MX, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

type Zone = BTreeMap<(String, RecordType), Vec<RData>>;

/// A name server; it ends with the test.
pub(crate) struct DnsServer {
    pub(crate) address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl DnsServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(Zone::new()));
        let known = Arc::clone(&zone);
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((length, client)) = socket.recv_from(&mut buffer).await {
                if let Some(answer) = answer(&known, &buffer[..length]) {
                    let _ = socket.send_to(&answer, client).await;
                }
            }
        });
        Self { address, zone }
    }

    fn set(&self, name: &str, kind: RecordType, data: Vec<RData>) -> &Self {
        self.zone.lock().unwrap().insert((name.to_owned(), kind), data);
        self
    }

    /// Says these texts about `name`, and no others; each in pieces, as long ones must be.
    pub(crate) fn texts(&self, name: &str, texts: &[&str]) -> &Self {
        let pieces = |text: &&str| {
            let bytes: Vec<_> = text.as_bytes().chunks(20).collect();
            RData::TXT(TXT::from_bytes(bytes))
        };
        self.set(name, RecordType::TXT, texts.iter().map(pieces).collect())
    }

    /// Says who takes mail for `name`; `.` is nobody.
    pub(crate) fn mail_servers(&self, name: &str, servers: &[&str]) -> &Self {
        let mx = |(preference, server): (u16, &&str)| {
            RData::MX(MX::new(preference, Name::from_ascii(server).unwrap()))
        };
        self.set(name, RecordType::MX, (0..).zip(servers).map(mx).collect())
    }

    /// Says where `name` is.
    pub(crate) fn address(&self, name: &str, ip: &str) -> &Self {
        match ip.parse().unwrap() {
            IpAddr::V4(ip) => self.set(name, RecordType::A, vec![RData::A(A(ip))]),
            IpAddr::V6(ip) => self.set(name, RecordType::AAAA, vec![RData::AAAA(AAAA(ip))]),
        }
    }
}

/// Answers one question; what cannot be read gets no answer.
fn answer(zone: &Mutex<Zone>, question: &[u8]) -> Option<Vec<u8>> {
    let question = Message::from_vec(question).ok()?;
    let query = question.queries.first()?.clone();
    let name = query.name().to_ascii().trim_end_matches('.').to_ascii_lowercase();
    let mut answer = Message::response(question.metadata.id, question.metadata.op_code);
    assert_eq!(answer.metadata.message_type, MessageType::Response);
    answer.metadata.recursion_desired = true;
    answer.metadata.recursion_available = true;
    answer.add_query(query.clone());
    let zone = zone.lock().unwrap();
    let found = zone.get(&(name.clone(), query.query_type())).filter(|found| !found.is_empty());
    for data in found.into_iter().flatten() {
        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data.clone()));
    }
    if found.is_none() && !zone.keys().any(|(known, _)| *known == name) {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    answer.to_vec().ok()
}
