"""Envoy's external processor as it is often written: Python, gRPC's own library.

inspector.py PORT LOG
"""

import json
import sys
from concurrent import futures

import grpc
from envoy.service.ext_proc.v3 import external_processor_pb2 as wire
from envoy.service.ext_proc.v3 import external_processor_pb2_grpc as service


class Inspector(service.ExternalProcessorServicer):
    def __init__(self, log):
        self.log = open(log, "a", buffering=1)

    def Process(self, parts, context):
        for part in parts:
            if part.HasField("request_body"):
                message = json.loads(part.request_body.body)
                people = [
                    recipient["email"]
                    for personalization in message["personalizations"]
                    for recipient in personalization["to"]
                ]
                self.log.write(" ".join(people) + "\n")
                yield wire.ProcessingResponse(request_body=wire.BodyResponse())
            else:
                yield wire.ProcessingResponse(request_headers=wire.HeadersResponse())


server = grpc.server(
    futures.ThreadPoolExecutor(max_workers=256),
    options=[("grpc.max_receive_message_length", 64 << 20)],
)
service.add_ExternalProcessorServicer_to_server(Inspector(sys.argv[2]), server)
server.add_insecure_port(f"127.0.0.1:{sys.argv[1]}")
server.start()
server.wait_for_termination()
