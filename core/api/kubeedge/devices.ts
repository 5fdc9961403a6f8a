import type { z } from "zod";
import {
  anything,
  conditions,
  type CustomKind,
  fields,
  flag,
  int32,
  int64,
  list,
  once,
  text,
  textMap,
  texts,
  whole,
  word,
} from "./schema.ts";

const modelSpec = once(() =>
  fields("What devices of the model have in common.", {
    protocol: text("Protocol that the devices speak, e.g. modbus."),
    properties: list(
      "What can be read from or written to a device.",
      fields("One property.", {
        name: text("Name of the property; saveFrame and saveVideo are for streams."),
        description: text("What the property is, for people."),
        type: word("Type of the value.", [
          "INT",
          "FLOAT",
          "DOUBLE",
          "STRING",
          "BOOLEAN",
          "BYTES",
          "STREAM",
        ]),
        accessMode: word("Whether the value may be written.", ["ReadWrite", "ReadOnly"]),
        minimum: text("Smallest value."),
        maximum: text("Largest value."),
        unit: text("Unit of the value."),
      }),
    ),
  })
);

const twinValue = (description: string) =>
  fields(description, { metadata: textMap("Facts about the value, e.g. its time.") }, {
    value: text("The value as a text."),
  });

const protocolConfig = (description: string) =>
  fields(description, {
    protocolName: text("Name of the protocol."),
    configData: anything("Settings that the mapper of the protocol knows."),
  });

const clientOf = (name: string, optional: z.ZodRawShape) =>
  fields(`A database of the kind ${name}.`, optional);

const dbMethod = () =>
  fields("Databases that get the values.", {
    influxdb2: clientOf("InfluxDB 2", {
      influxdb2ClientConfig: fields("Which database.", {
        url: text("Address of the database."),
        org: text("Organisation of the user."),
        bucket: text("Bucket that gets the values."),
      }),
      influxdb2DataConfig: fields("How values are written.", {
        measurement: text("Measurement of the values."),
        tag: textMap("Tags of the values."),
        fieldKey: text("Key of the field."),
      }),
    }),
    redis: clientOf("Redis", {
      redisClientConfig: fields("Which database.", {
        addr: text("Address of the database."),
        db: whole("Number of the database."),
        poolsize: whole("Most connections."),
        minIdleConns: whole("Connections that are kept when idle."),
      }),
    }),
    TDEngine: clientOf("TDengine", {
      TDEngineClientConfig: fields("Which database.", {
        addr: text("Address of the database."),
        dbName: text("Name of the database."),
      }),
    }),
    Kwdb: clientOf("KWDB", {
      KWDBClientConfig: fields("Which database.", {
        addr: text("Address of the database."),
        dbName: text("Name of the database."),
      }),
    }),
    mysql: clientOf("MySQL", {
      mysqlClientConfig: fields("Which database.", {
        addr: text("Address of the database, e.g. localhost:3306."),
        database: text("Name of the database."),
        userName: text("Name of the user."),
      }),
    }),
  });

const pushMethod = () =>
  fields("Where the mapper sends values besides the twin.", {
    http: fields("An HTTP server.", {
      hostName: text("Host of the server."),
      port: int64("Port of the server."),
      requestPath: text("Path of the request."),
      timeout: int64("How long a request may take."),
    }),
    mqtt: fields("An MQTT broker.", {
      address: text("Address of the broker, e.g. mqtt://127.0.0.1:1883."),
      topic: text("Topic of the messages."),
      qos: int32("Quality of service: 0, 1 or 2."),
      retained: flag("Whether the broker keeps the last message."),
    }),
    otel: fields("An OpenTelemetry collector.", {
      endpointURL: text("Address of the collector, e.g. https://localhost:4318/v1/metrics."),
    }),
    dbMethod: dbMethod(),
    anomalyDetection: anything("Settings of a service that looks for odd values."),
  });

const deviceSpec = once(() =>
  fields("One device.", {
    deviceModelRef: fields("The model of the device.", {
      name: text("Name of a DeviceModel in the same namespace."),
    }),
    nodeName: text("The node to which the device is connected."),
    protocol: protocolConfig("How the mapper reaches the device."),
    properties: list(
      "Properties of the device; each name once.",
      fields("One property.", {
        name: text("Name of a property of the model."),
        desired: twinValue("The value that the device should have."),
        visitors: protocolConfig("How the property is read and written."),
        reportCycle: int64("How often the value is reported."),
        collectCycle: int64("How often the value is read from the device."),
        reportToCloud: flag("Whether the value goes to the cloud."),
        pushMethod: pushMethod(),
      }),
    ),
    methods: list(
      "Methods of the device; each name once.",
      fields("One method.", {
        name: text("Name of the method."),
        description: text("What the method does, for people."),
        propertyNames: texts("Properties that the method sets."),
      }),
    ),
    stateReport: fields("How the state of the device is reported.", {
      reportCycle: int64("How often the state is reported."),
      reportToCloud: flag("Whether the state goes to the cloud."),
    }),
  })
);

const twins = () =>
  list(
    "Values of the properties.",
    fields("One property.", {
      propertyName: text("Name of the property."),
      reported: twinValue("What the device last reported."),
      observedDesired: twinValue("The desired value that the mapper last saw."),
    }),
  );

/** KubeEdge keeps what older versions wrote here; since v1.23 the state is in a DeviceStatus. */
const deviceState = once(() =>
  anything("What was last observed. Since KubeEdge 1.23 see the DeviceStatus.").extend({
    twins: twins().optional(),
    state: text("State of the device.").optional(),
    lastOnlineTime: text("When the device was last reached.").optional(),
    reportToCloud: flag("Whether the state goes to the cloud.").optional(),
    reportCycle: int64("How often the state is reported.").optional(),
    conditions: conditions().optional(),
  }).meta({ description: "What was last observed. Since KubeEdge 1.23 see the DeviceStatus." })
);

const statusState = once(() =>
  fields("What was last observed of a device.", {
    twins: twins(),
    state: text("State of the device, e.g. online."),
    lastOnlineTime: text("When the device was last reached."),
    extensions: anything("What else a mapper reports."),
    conditions: conditions(),
  })
);

/** The kinds of `devices.kubeedge.io/v1beta1`. */
export const DEVICE_KINDS: Readonly<Record<string, () => CustomKind>> = {
  DeviceModel: once(() => ({
    description: "What devices of one make have in common.",
    spec: modelSpec(),
    // KubeEdge has no status here: this one holds what Skerry has to say.
    status: fields("What is known of the model.", { conditions: conditions() }),
  })),
  Device: once(() => ({
    description: "A device that is connected to a node.",
    spec: deviceSpec(),
    status: deviceState(),
  })),
  DeviceStatus: once(() => ({
    description: "What was last observed of the device of the same name.",
    spec: fields("Has no fields.", {}),
    status: statusState(),
  })),
};

/** `spec` of a DeviceModel. */
export type DeviceModelSpec = z.infer<ReturnType<typeof modelSpec>>;
/** `spec` of a Device. */
export type DeviceSpec = z.infer<ReturnType<typeof deviceSpec>>;
/** `status` of a DeviceStatus. */
export type DeviceStatusStatus = z.infer<ReturnType<typeof statusState>>;
