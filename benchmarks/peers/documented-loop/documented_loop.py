"""The loop of the documented service, as it stands there: one record at a time, one session a record.

Arguments: bootstrap topic url count. Prints one JSON line. Its log lines go to the null device.
"""

import asyncio
import json
import logging
import os
import sys
import time
import uuid
from typing import Any

import aiohttp
from aiokafka import AIOKafkaConsumer

logging.basicConfig(level=logging.INFO, filename=os.devnull)
logger = logging.getLogger(__name__)


async def process_message(url: str, data: Any) -> None:
    logger.info(f"Received message: {data}")
    async with aiohttp.ClientSession() as session, session.post(url, json=data) as response:
        if response.status == 200:
            answer = await response.json()
            logger.info(f"Driver Token Status: {answer['status']}")
            logger.info("Message processed successfully.")
        else:
            logger.error(f"Error processing message: {response.status}")


async def main(bootstrap: str, topic: str, url: str, count: int) -> None:
    consumer = AIOKafkaConsumer(
        topic,
        bootstrap_servers=[bootstrap],
        group_id=f"peer-seed-{uuid.uuid4()}",
        auto_offset_reset="earliest",
        value_deserializer=lambda x: json.loads(x.decode("utf-8")),
    )
    await consumer.start()
    delivered = 0
    async for message in consumer:
        if not delivered:
            started, cpu = time.perf_counter(), time.process_time()
        await process_message(url, message.value)
        delivered += 1
        if delivered == count:
            break
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    print(json.dumps({"peer": "seed", "records_per_second": count / seconds, "cpu_us_per_record": cpu / count * 1e6}))
    await consumer.stop()


bootstrap, topic, url, count = sys.argv[1:]
asyncio.run(main(bootstrap, topic, url, int(count)))
