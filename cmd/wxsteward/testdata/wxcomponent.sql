-- The tables of 服务商微管家 2.1, as far as it needs them.
CREATE TABLE wxcallback_component (
    id          int unsigned AUTO_INCREMENT PRIMARY KEY,
    receivetime timestamp    NOT NULL DEFAULT current_timestamp,
    createtime  timestamp    NOT NULL DEFAULT current_timestamp,
    infotype    varchar(64)  NOT NULL DEFAULT '',
    postbody    text         NOT NULL,
    INDEX (receivetime)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE wxcallback_biz (
    id          int unsigned AUTO_INCREMENT PRIMARY KEY,
    receivetime timestamp    NOT NULL DEFAULT current_timestamp,
    createtime  timestamp    NOT NULL DEFAULT current_timestamp,
    tousername  varchar(64)  NOT NULL DEFAULT '',
    appid       varchar(64)  NOT NULL DEFAULT '',
    msgtype     varchar(64)  NOT NULL DEFAULT '',
    event       varchar(64)  NOT NULL DEFAULT '',
    postbody    text         NOT NULL,
    INDEX (receivetime)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE comm (
    `key`      varchar(64) NOT NULL PRIMARY KEY,
    value      text        NOT NULL,
    createtime timestamp   NOT NULL DEFAULT current_timestamp,
    updatetime timestamp   NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE user (
    id         int         NOT NULL AUTO_INCREMENT PRIMARY KEY,
    username   varchar(32) NOT NULL UNIQUE,
    password   varchar(64) NOT NULL,
    createtime timestamp   NOT NULL DEFAULT current_timestamp,
    updatetime timestamp   NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE authorizers (
    id            int          NOT NULL AUTO_INCREMENT PRIMARY KEY,
    appid         varchar(32)  NOT NULL UNIQUE,
    apptype       int          NOT NULL DEFAULT 0,
    servicetype   int          NOT NULL DEFAULT 0,
    nickname      varchar(32)  NOT NULL DEFAULT '',
    username      varchar(32)  NOT NULL DEFAULT '',
    headimg       varchar(256) NOT NULL DEFAULT '',
    qrcodeurl     varchar(256) NOT NULL DEFAULT '',
    principalname varchar(64)  NOT NULL DEFAULT '',
    refreshtoken  varchar(128) NOT NULL DEFAULT '',
    funcinfo      varchar(128) NOT NULL DEFAULT '',
    verifyinfo    int          NOT NULL DEFAULT -1,
    authtime      timestamp    NOT NULL,
    updatetime    timestamp    NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE wxcallback_rules (
    id         int unsigned AUTO_INCREMENT PRIMARY KEY,
    name       varchar(64)  NOT NULL DEFAULT '',
    infotype   varchar(64)  NOT NULL DEFAULT '',
    msgtype    varchar(64)  NOT NULL DEFAULT '',
    event      varchar(64)  NOT NULL DEFAULT '',
    type       int          NOT NULL DEFAULT 0,
    open       int          NOT NULL DEFAULT 0,
    info       text         NOT NULL,
    createtime timestamp    NOT NULL DEFAULT current_timestamp,
    updatetime timestamp    NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp,
    UNIQUE (infotype, msgtype, event)
) ENGINE=InnoDB DEFAULT CHARSET=utf8;

CREATE TABLE wxtoken (
    id         int unsigned AUTO_INCREMENT PRIMARY KEY,
    type       int          NOT NULL DEFAULT 0,
    appid      varchar(128) NOT NULL DEFAULT '' UNIQUE,
    token      text         NOT NULL,
    expiretime timestamp    NOT NULL,
    createtime timestamp    NOT NULL DEFAULT current_timestamp,
    updatetime timestamp    NOT NULL DEFAULT current_timestamp ON UPDATE current_timestamp
) ENGINE=InnoDB DEFAULT CHARSET=utf8;
