// A server of the interop tests' TestService (doc/interop-test-descriptions.md in grpc/grpc), by
// gRPC's C++ library. It prints its port, and ends with its standard input.

#include <chrono>
#include <iostream>
#include <memory>
#include <string>
#include <thread>

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include "grpc/testing/empty.pb.h"
#include "grpc/testing/messages.pb.h"
#include "grpc/testing/test.grpc.pb.h"

using namespace grpc::testing;

class Service final : public TestService::Service {
  using Status = grpc::Status;
  using Context = grpc::ServerContext;

  Status EmptyCall(Context* context, const Empty*, Empty*) override {
    Echo(context);
    return Status::OK;
  }

  Status UnaryCall(Context* context, const SimpleRequest* request, SimpleResponse* response) override {
    Echo(context);
    if (request->has_response_status()) return Asked(request->response_status());
    Fill(response->mutable_payload(), request->response_size());
    return Status::OK;
  }

  Status StreamingOutputCall(Context* context, const StreamingOutputCallRequest* request,
                             grpc::ServerWriter<StreamingOutputCallResponse>* writer) override {
    Echo(context);
    context->set_compression_algorithm(GRPC_COMPRESS_GZIP);
    return Respond(context, *request, writer);
  }

  Status StreamingInputCall(Context* context, grpc::ServerReader<StreamingInputCallRequest>* reader,
                            StreamingInputCallResponse* response) override {
    Echo(context);
    StreamingInputCallRequest request;
    int size = 0;
    while (reader->Read(&request)) size += request.payload().body().size();
    response->set_aggregated_payload_size(size);
    return Status::OK;
  }

  Status FullDuplexCall(Context* context,
                        grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) override {
    Echo(context);
    StreamingOutputCallRequest request;
    while (stream->Read(&request)) {
      if (request.has_response_status()) return Asked(request.response_status());
      if (Status s = Respond(context, request, stream); !s.ok()) return s;
    }
    return Status::OK;
  }

  Status HalfDuplexCall(Context* context,
                        grpc::ServerReaderWriter<StreamingOutputCallResponse, StreamingOutputCallRequest>* stream) override {
    std::vector<StreamingOutputCallRequest> requests;
    for (StreamingOutputCallRequest request; stream->Read(&request);) requests.push_back(request);
    for (const auto& request : requests)
      if (Status s = Respond(context, request, stream); !s.ok()) return s;
    return Status::OK;
  }

  static Status Asked(const EchoStatus& s) {
    return Status(static_cast<grpc::StatusCode>(s.code()), s.message());
  }

  static void Fill(Payload* payload, int size) {
    payload->set_type(PayloadType::COMPRESSABLE);
    payload->set_body(std::string(size, '\0'));
  }

  template <typename Writer>
  static Status Respond(Context* context, const StreamingOutputCallRequest& request, Writer* writer) {
    for (const auto& p : request.response_parameters()) {
      auto until = std::chrono::steady_clock::now() + std::chrono::microseconds(p.interval_us());
      while (std::chrono::steady_clock::now() < until && !context->IsCancelled())
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      if (context->IsCancelled()) return Status::CANCELLED;
      StreamingOutputCallResponse response;
      Fill(response.mutable_payload(), p.size());
      if (!writer->Write(response)) return Status::CANCELLED;
    }
    return Status::OK;
  }

  static void Echo(Context* context) {
    static const char initial[] = "x-grpc-test-echo-initial", trailing[] = "x-grpc-test-echo-trailing-bin";
    const auto& metadata = context->client_metadata();
    if (auto i = metadata.find(initial); i != metadata.end())
      context->AddInitialMetadata(initial, std::string(i->second.data(), i->second.size()));
    if (auto i = metadata.find(trailing); i != metadata.end())
      context->AddTrailingMetadata(trailing, std::string(i->second.data(), i->second.size()));
  }
};

int main() {
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  Service service;
  int port = 0;
  grpc::ServerBuilder builder;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(&service);
  std::unique_ptr<grpc::Server> server = builder.BuildAndStart();
  if (!server) return 1;
  std::cout << port << std::endl;
  std::cin.get();
  server->Shutdown(std::chrono::system_clock::now());
}
