// What a Rust engineer would write in an afternoon with rdkafka, tokio and hyper's pooled client.
// No ordering, no commits, no retries. Arguments: bootstrap topic url concurrency count. Prints one JSON line.
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use hyper_util::{
    client::legacy::{connect::HttpConnector, Client},
    rt::TokioExecutor,
};
use rdkafka::{
    config::ClientConfig,
    consumer::{BaseConsumer, Consumer},
    Message,
};
use std::{
    sync::{
        atomic::{AtomicU64, Ordering},
        Arc, OnceLock,
    },
    time::{Duration, Instant},
};
use tokio::sync::{mpsc, Mutex};

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, servers, topic, url, concurrency, count] = &arguments[..] else {
        eprintln!("arguments: bootstrap topic url concurrency count");
        std::process::exit(2);
    };
    let concurrency: usize = concurrency.parse().expect("concurrency is a number");
    let count: u64 = count.parse().expect("count is a number");

    let (values, received) = mpsc::channel(4 * concurrency);
    let (servers, topic) = (servers.clone(), topic.clone());
    std::thread::spawn(move || consume(&servers, &topic, values));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    runtime.block_on(deliver(received, url.clone(), concurrency, count));
}

fn consume(servers: &str, topic: &str, values: mpsc::Sender<Bytes>) {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", format!("peer-rust-{}", std::process::id()))
        .set("auto.offset.reset", "earliest")
        .set("enable.auto.commit", "false")
        .create()
        .unwrap();
    consumer.subscribe(&[topic]).unwrap();
    loop {
        if let Some(Ok(message)) = consumer.poll(Duration::from_millis(100)) {
            let value = Bytes::copy_from_slice(message.payload().unwrap_or(b""));
            if values.blocking_send(value).is_err() {
                return;
            }
        }
    }
}

async fn deliver(received: mpsc::Receiver<Bytes>, url: String, concurrency: usize, count: u64) {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new())
        .pool_max_idle_per_host(concurrency)
        .build(connector);
    let received = Arc::new(Mutex::new(received));
    let delivered = Arc::new(AtomicU64::new(0));
    let first = Arc::new(OnceLock::new());
    let mut tasks = vec![];
    for _ in 0..concurrency {
        let (client, url) = (client.clone(), url.clone());
        let (received, delivered, first) = (received.clone(), delivered.clone(), first.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let Some(value) = received.lock().await.recv().await else {
                    return;
                };
                let request = Request::post(&url)
                    .header("content-type", "application/json")
                    .body(Full::new(value))
                    .unwrap();
                let response = client.request(request).await.unwrap();
                assert_eq!(response.status(), 200);
                response.into_body().collect().await.unwrap();
                let first = first.get_or_init(Instant::now);
                if delivered.fetch_add(1, Ordering::Relaxed) + 1 == count {
                    report(first.elapsed(), count);
                    std::process::exit(0);
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

fn report(elapsed: Duration, count: u64) {
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    unsafe { libc::getrusage(libc::RUSAGE_SELF, &mut usage) };
    let cpu_us = (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) as f64 * 1e6
        + (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) as f64;
    println!(
        "{{\"peer\": \"rust\", \"records_per_second\": {:.0}, \"cpu_us_per_record\": {:.1}}}",
        count as f64 / elapsed.as_secs_f64(),
        cpu_us / count as f64
    );
}
